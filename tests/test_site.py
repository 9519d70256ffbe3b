"""What the documentation site is made of, checked without MkDocs; `make docs` builds it, strict."""

import dataclasses
import importlib.util
import pkgutil
import re
import sys

import pytest
import yaml

from flows.experiment.settings import Experiment
from gradmix import __all__ as public
from gradmix.declarations.methods import METHODS
from tests.pages import DOCS, ROOT, blocks_of, text_of

HOOKS = DOCS / "hooks"


def hook(name):
    """One of the scripts that MkDocs loads; they import one another by name."""
    spec = importlib.util.spec_from_file_location(name, HOOKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)
    return module


TABLES, FILES = hook("site_tables"), hook("site_files")
MARKERS = sorted(
    {words for page in DOCS.rglob("*.md") for words in TABLES.markers(page.read_text())}
)


def nav_pages(entries):
    """Pages of the navigation."""
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from nav_pages(value) if isinstance(value, list) else [value]


SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("words", MARKERS, ids=" ".join)
def test_what_pages_ask_for_is_made_from_the_code(words):
    found = TABLES.made(*words)
    assert len(found) > 20
    assert "<!--" not in found


def test_every_method_has_a_page_with_its_facts_settings_and_results():
    for name in METHODS:
        asked = TABLES.markers(text_of(f"docs/methods/{name}.md"))
        assert asked == [("facts", name), ("settings", name), ("measured", name)]
    pages = {path.stem for path in (DOCS / "methods").glob("*.md")} - {"index"}
    assert pages == METHODS.keys()


@pytest.mark.parametrize("name", METHODS)
def test_a_methods_page_shows_a_row_with_that_method(name):
    (block,) = (b for b in blocks_of(f"docs/methods/{name}.md") if b.language == "toml")
    assert f'method = "{name}"' in block.code


@pytest.mark.parametrize("name", METHODS)
def test_a_settings_table_has_every_field_with_its_default(name):
    table = TABLES.settings(name)
    for field in dataclasses.fields(METHODS[name].config):
        (row,) = re.findall(rf"^\| `{field.name}` \|.*$", table, re.MULTILINE)
        assert f"`{TABLES.shown(field.default)}`" in row


def test_every_key_of_an_experiment_file_is_listed_with_its_meaning():
    found = TABLES.keys()
    models = [Experiment]
    while models:
        model = models.pop()
        for name, field in model.model_fields.items():
            below, header = TABLES.nested(name, field)
            if below:
                models.append(below)
                assert f"## `{header}`" in found
            elif name != "scale":
                assert re.search(rf"^\| `{name}` \| .+ \| .+ \| .{{8,}} \|$", found, re.MULTILINE)


def test_every_public_name_is_in_the_reference():
    names = re.findall(r"^::: (.*)$", text_of("docs/reference/python.md"), re.MULTILINE)
    assert {name.rpartition(".")[2] for name in names} == set(public)
    assert all(pkgutil.resolve_name(name) is not None for name in names)


def test_a_results_estimate_is_the_mean_and_its_standard_error():
    # Mean 2; deviations -1, 0, 1 have the variance 1, so that the error is 1 / sqrt(3).
    assert TABLES.estimate([1.0, 2.0, 3.0]) == "2.00 ± 0.58"


def test_measured_rows_are_those_of_the_committed_results():
    # As docs/results.md has it: Joint at k = 2, ten draws.
    assert "| Joint | 2 | 87.00 ± 0.63 | - |" in TABLES.measured("joint")
    assert "no row" in TABLES.measured("of-nobody")


def test_every_page_is_in_the_navigation():
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    listed = list(nav_pages(SITE["nav"]))
    assert sorted(listed) == sorted(pages)


def test_links_out_of_the_docs_become_pages_of_the_site():
    text = "[a](../flows/experiments/digits.toml) [b](own-data.md#images) [c](https://x.org)"
    found = FILES.with_links(text, "docs", "pipeline.md")
    assert found == (
        "[a](repository/flows/experiments/digits.toml.md) [b](own-data.md#images) [c](https://x.org)"
    )
    assert FILES.linked(text, "docs") == {"flows/experiments/digits.toml"}


def test_the_site_asks_no_other_host_for_anything():
    assert SITE["theme"]["font"] is False
    assert "offline" in SITE["plugins"]
    for place in [*SITE["extra_css"], *SITE["extra"]["polyfills"]]:
        assert (DOCS / place).is_file()
        assert "http" not in (DOCS / place).read_text(encoding="utf-8")
