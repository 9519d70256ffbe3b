"""The benchmarks' table, page and comparison; `make bench` measures."""

import sys
from dataclasses import replace
from importlib import import_module

import pytest

from tests.pages import ROOT, text_of

FOLDER = ROOT / "tests" / "benchmarks"


@pytest.fixture(scope="module")
def benchmarks():
    """Imports a module of the benchmarks, which are run as a folder and import one another."""
    names = [path.stem for path in FOLDER.glob("*.py") if path.stem != "__main__"]
    assert not set(names) & set(sys.modules)
    sys.path.insert(0, str(FOLDER))
    try:
        yield import_module
    finally:
        sys.path.remove(str(FOLDER))
        for name in names:
            sys.modules.pop(name, None)


@pytest.fixture
def table(benchmarks):
    """A table of one figure, measured here."""

    def make(low, middle, high, machine="two cores"):
        figure = benchmarks("figures").Figure(
            name="a step", value=middle, unit="x", low=low, high=high, n=3, detail="12 us"
        )
        found = benchmarks("page").Subject.of([figure], load=0.5)
        return {"A training step": replace(found, machine=machine)}

    return make


def test_a_ratio_is_the_median_of_pairs_and_leaves_the_warm_up_out(benchmarks, monkeypatch):
    figures = benchmarks("figures")
    # Seconds of `under` and `over` in turn; the three warm-up pairs have a ratio of 100.
    seconds = iter([1.0, 100.0] * 3 + [1.0, 2.0, 2.0, 6.0, 1.0, 4.0])
    monkeypatch.setattr(figures, "thread_seconds", lambda run: run())
    found = figures.ratio("r", lambda: next(seconds), lambda: next(seconds), pairs=3, per=4)
    assert (found.value, found.low, found.high, found.n) == (3.0, 2.0, 4.0, 3)
    assert found.detail == "1,000.0 ms"  # the median of 2, 6 and 4 s, a quarter each


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        ((1.2, 1.3, 1.4), "WORSE"),
        ((0.7, 0.8, 0.9), "better"),
        ((1.05, 1.3, 1.4), None),  # quartiles meet
        ((1.101, 1.04, 1.2), None),  # apart, but within 5 %
    ],
)
def test_a_figure_differs_beyond_noise_if_its_quartiles_are_apart(
    benchmarks, table, after, verdict
):
    lines = benchmarks("page").compared(table(*after), table(0.95, 1.0, 1.1))
    if verdict is None:
        assert lines[0].startswith("no figure differs")
    else:
        assert lines == [f"{verdict}: a step: 1 -> {after[1]:.3g} x"]


def test_another_machine_is_not_compared(benchmarks, table):
    new, old = table(2, 2, 2), table(1, 1, 1, machine="64 cores")
    assert benchmarks("page").compared(new, old) == [
        "A training step: stored for another machine (64 cores), not compared."
    ]


def test_a_table_is_read_as_it_was_written(benchmarks, table, tmp_path):
    found = table(1, 2, 3)
    page = benchmarks("page")
    page.write(found, tmp_path / "table.json")
    assert page.read(tmp_path / "table.json") == found
    assert page.read(tmp_path / "none.json") == {}


def test_the_page_shows_the_stored_table_and_names_every_subject(benchmarks):
    page, text = benchmarks("page"), text_of("docs/benchmarks.md")
    assert page.section(page.read(page.TABLE)) in text
    subjects = [path.stem for path in FOLDER.glob("*.py") if "def figures(" in path.read_text()]
    assert len(subjects) == 7
    assert [name for name in subjects if f"`{name}`" not in text] == []


def test_a_row_has_quartiles_only_if_there_were_several_measurements(benchmarks):
    figures, page = benchmarks("figures"), benchmarks("page")
    memory = page.Subject.of([figures.once("memory", 1234.5, "MiB")], load=0.0)
    lines = page.section({"A": memory}).splitlines()
    assert "| memory | 1,234 MiB |  | 1 |  |" in lines
