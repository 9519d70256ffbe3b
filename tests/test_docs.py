"""What is written for people holds: commands, options, snippets, links, scales."""

import contextlib
import io
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from data.catalog import FILE_READERS
from deploy.cli import main
from flows.experiment.datasets import Dataset, Images
from flows.experiment.experiment_file import load_experiment
from flows.experiment.toml_file import experiment_names
from flows.experiment.training import Network
from gradmix.methods import METHODS
from tasks.networks.trunks import TRUNKS

ROOT = Path(__file__).parent.parent
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
)
# Their code is run by tests of their own, with the libraries that it is for.
LIBRARY_PAGES = tuple(sorted(f"docs/mixer/{p.name}" for p in (ROOT / "docs/mixer").glob("*.md")))
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
PIPELINE = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8")


def blocks(page, language):
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


SNIPPETS = [(page, code) for page in PAGES for code in blocks(page, "python")]


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


def test_every_make_target_in_the_readme_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", README)) <= targets
    assert {"demo", "test"} <= targets


def test_there_is_a_snippet():
    assert [page for page, _ in SNIPPETS if page == "README.md"]


@pytest.mark.parametrize(("page", "code"), SNIPPETS)
def test_snippets_run(page, code):
    if "..." in code or "from gradmix.method import" in code:
        compile(code, page, "exec")
        pytest.skip("a fragment: it compiles")
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, page, "exec"), {"__name__": "snippet"})  # noqa: S102 - our own page


@pytest.mark.parametrize("page", [*PAGES, *LIBRARY_PAGES])
def test_links_to_files_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)", text):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert ((ROOT / page).parent / target).exists(), target


def test_every_method_is_documented():
    assert [name for name in METHODS if f"`{name}`" not in PIPELINE] == []


def test_the_readme_is_one_page():
    assert len(README.splitlines()) <= 120


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert sorted(name for name in pages if f"]({name})" not in index) == []


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


def test_tables_of_settings_in_the_pages_are_those_of_an_experiment_file(tmp_path):
    for code in blocks("docs/own-data.md", "toml"):
        if "[target]" in code:
            (tmp_path / "own.toml").write_text(code, encoding="utf-8")
            assert load_experiment(str(tmp_path / "own.toml")).scale == "full"
            continue
        for key, value in tomllib.loads(code).items():
            model = {"images": Images, "network": Network, "datasets": Dataset}[key]
            for table in value.values() if key == "datasets" else [value]:
                model.model_validate(table)


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
    pages = [ROOT / page for page in PAGES] + list((ROOT / "docs").rglob("*.md"))
    for page in pages:
        assert not re.search(r"@@|TODO|FIXME|XXX", page.read_text(encoding="utf-8")), page
