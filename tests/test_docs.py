"""What is written for people holds: commands, options, snippets, links, scales."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from data.catalog import FILE_READERS
from deploy.cli import main
from flows.experiment.experiment_file import load_experiment
from flows.experiment.toml_file import experiment_names
from gradmix import Mixer
from gradmix.declarations.methods import METHODS
from tasks.networks.declared import TRUNKS
from tests.pages import FENCE, PAGES, text_of

ROOT = Path(__file__).parent.parent
REPORTS = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs" / "results").rglob("*.md"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
PIPELINE = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8")


def prose_of(page):
    """A page without its blocks of code."""
    return FENCE.sub("", text_of(page))


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_help_and_is_documented(name):
    assert main.commands[name].help
    assert f"gradmix {name}" in COMMANDS


def test_every_option_of_a_run_is_documented():
    options = [option for p in main.commands["reproduce"].params for option in p.opts]
    missing = [o for o in options if o.startswith("--") and f"`{o}" not in COMMANDS]
    assert missing == []


@pytest.mark.parametrize("text", [README, COMMANDS], ids=["readme", "commands"])
def test_documented_commands_are_understood(text):
    lines = re.findall(r"^\$? ?(gradmix [a-z].*?)(?:  .*)?$", text, re.MULTILINE)
    assert len(lines) >= 3
    for line in lines:
        _, name, *words = shlex.split(line)
        # Parses options and arguments, runs nothing.
        main.commands[name].make_context(name, words)


@pytest.mark.parametrize("page", [*PAGES, *REPORTS])
def test_links_to_files_lead_somewhere(page):
    text = prose_of(page)
    for target in re.findall(r"\]\(([^)#]+)", text):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert ((ROOT / page).parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_links_to_sections_lead_to_a_heading_or_a_documented_name(page):
    for target, section in re.findall(r"\]\((\S*?)#([^)\s]+)\)", prose_of(page)):
        if re.match(r"[a-z]+:", target):
            continue
        there = ((ROOT / page).parent / target if target else ROOT / page).resolve()
        assert section in sections_of(there), f"{target}#{section}"


def sections_of(path):
    """Anchors of a page: its headings, and names of the reference with what belongs to them."""
    text = path.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    names = re.findall(r"^::: (.*)$", text, re.MULTILINE)
    found = {re.sub(r"[^\w\s-]", "", h).strip().lower().replace(" ", "-") for h in headings}
    mixer = {f"gradmix.mixer.mixer.Mixer.{name}" for name in dir(Mixer)}
    return found | set(names) | mixer


def test_every_method_is_documented():
    assert [name for name in METHODS if f"`{name}`" not in PIPELINE] == []


def test_the_readme_is_one_page():
    assert len(README.splitlines()) <= 120


def test_the_scales_of_the_packaged_experiments_are_documented_and_load():
    assert experiment_names() == ["actions", "digits"]
    help_text = CliRunner().invoke(main, ["reproduce", "--help"]).output
    for scale in ("demo", "small", "paper"):
        for name in experiment_names():
            assert load_experiment(name, scale).scale == scale
        assert f"`{scale}`" in COMMANDS
        assert scale in help_text


def test_the_paper_scale_is_described_as_it_is():
    paper = load_experiment("digits", "paper")
    line = next(line for line in COMMANDS.splitlines() if line.startswith("| `--scale"))
    stage = paper.first_stage
    assert f"k = {paper.target.k[0]}..{paper.target.k[-1]}" in line
    assert f"{paper.target.draws} draws" in line
    assert f"{len(stage.beta)}x{len(stage.gamma)} grid" in line
    assert f"R = {paper.ensemble.r}" in line


@pytest.mark.parametrize("name", experiment_names())
def test_the_table_of_rows_has_every_row_of_the_experiment(name):
    experiment = load_experiment(name, "paper")
    for baseline in experiment.baselines:
        rows = [line for line in PIPELINE.splitlines() if line.startswith(f"| {baseline.name} |")]
        assert any(f"`{baseline.method}`" in row for row in rows), baseline.name


def test_every_reader_and_trunk_is_documented():
    page = (ROOT / "docs" / "own-data.md").read_text(encoding="utf-8")
    readers = [name for name, reader in FILE_READERS.items() if not reader.embedded]
    assert [name for name in [*readers, *TRUNKS] if f"`{name}`" not in page] == []


def test_the_miniature_is_actions_at_scale_small_but_for_its_data():
    """Its page says so."""
    own = load_experiment(str(ROOT / "docs/results/actions-small/experiment.toml"), "small")
    small = load_experiment("actions", "small")
    same = ("network", "training", "baselines", "first_stage", "ensemble", "final", "outputs")
    assert [name for name in same if getattr(own, name) != getattr(small, name)] == []
    assert (own.images, own.partial) == (small.images, True)
    aside = {"dataset", "hyper_validation"}
    assert own.target.model_dump(exclude=aside) == small.target.model_dump(exclude=aside)
    assert (own.seed, [source.classes for source in own.sources]) == (0, ["target", "all"])


def test_nothing_is_left_to_be_filled_in():
    for page in PAGES:
        assert not re.search(r"@@|TODO|FIXME|XXX|@[A-Z]+@", text_of(page)), page
