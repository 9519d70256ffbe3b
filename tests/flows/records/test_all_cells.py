"""The page of all cells of a home: what is on it, and that a browser sorts and filters it."""

import json
import re

import pytest
from click.testing import CliRunner

from deploy.cli import main
from flows.records.all_cells import all_cells, write_all_cells
from tasks.storage.home import HomeError, open_home
from tests.flows.many_cells import FIRST, make_cells
from tests.flows.review.chromium import BROWSER, browser

COUNT = 72


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home of cells, and their identities."""
    home = tmp_path_factory.mktemp("cells") / "home"
    return home, make_cells(home, COUNT)


def gradmix(*words):
    return CliRunner().invoke(main, ["report", *map(str, words)])


def test_a_cell_is_what_its_training_and_the_reports_say(made):
    home, identities = made
    by_identity = {cell.identity: cell for cell in all_cells(home)}
    assert set(by_identity) == set(identities)
    cell = by_identity[identities[0]]
    assert (cell.row, cell.method, cell.k, cell.draw) == ("GradMix", "gradmix", 2, 0)
    assert cell.told == {"beta": 1.0, "gamma": 0.0}
    assert cell.settings["steps"] == 500
    network = {name: cell.settings[name] for name in ("trunk", "network.widths", "frozen")}
    assert network == {"trunk": "convnet", "network.widths": "8 8", "frozen": ""}
    assert (cell.accuracy, cell.test, cell.seconds) == (0.5, 0.875, 30.0)
    assert (cell.time, cell.runs) == (FIRST, ("made",))
    address = f"http://127.0.0.1:5000/#/experiments/1/runs/{0:032x}?workflowType=machine_learning"
    assert cell.page == address
    other = by_identity[identities[1]]
    assert (other.test, other.runs, other.time) == (None, (), FIRST + 60)


def test_a_methods_setting_of_the_loops_name_hides_neither(tmp_path):
    home = tmp_path / "home"
    make_cells(home, 1, settings={"warm_up": 0.2}, training={"warm_up": 100})
    (cell,) = all_cells(home)
    assert cell.settings["warm_up"] == 100
    assert cell.settings["gradmix.warm_up"] == 0.2


def test_the_command_writes_one_page_that_fetches_nothing(made):
    home, identities = made
    result = gradmix("--all", "--home", home)
    assert result.exit_code == 0, result.output
    assert result.output.strip().endswith("home/reproductions/cells.html")
    page = (home / "reproductions" / "cells.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="|url\(|@import|fetch\(', page)
    data = re.search(r'id="data">(.*?)</script>', page)[1]
    assert [cell["identity"] for cell in json.loads(data)] == identities[::-1]


def test_names_cannot_leave_the_data(made, tmp_path):
    home = tmp_path / "home"
    make_cells(home, 1)
    (path,) = (home / "reproductions").glob("*/record.json")
    name = "</script><script>alert(1)//"
    path.write_text(path.read_text().replace('"name": "made"', f'"name": "{name}"'))
    page = write_all_cells(home).read_text(encoding="utf-8")
    assert name not in page
    assert json.loads(re.search(r'id="data">(.*?)</script>', page)[1])[0]["runs"] == [name]


def test_a_damaged_result_is_left_out(tmp_path):
    home = tmp_path / "home"
    make_cells(home, 3)
    first, second, _ = sorted((home / "artifacts" / "train").glob("*/result.json"))
    first.write_text("{")
    second.write_text(second.read_text().replace('"accuracy": 0.', '"accuracy": 0.9'))
    assert len(all_cells(home)) == 1


def test_a_home_without_cells_is_one_line(tmp_path):
    home = open_home(tmp_path / "home")
    with pytest.raises(HomeError, match=r"expected a finished training in .*, found none"):
        write_all_cells(home)
    result = gradmix("--all", "--home", home)
    assert (result.exit_code, result.output.count("\n")) == (2, 1)


@pytest.mark.parametrize("words", [[], ["made", "--all"]])
def test_a_report_is_of_one_run_or_of_all(made, words):
    result = gradmix(*words, "--home", made[0])
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert "RUN: expected a reproduction's name, or --all" in result.output


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_a_browser_sorts_filters_and_shows_one_in_full(made, tmp_path):
    home, _ = made
    page = write_all_cells(home)

    def count():
        return tab.get("document.getElementById('count').textContent")

    def column(number):
        cells = f"[...document.querySelectorAll('tbody td:nth-child({number})')]"
        return tab.get(f"{cells}.map(cell => cell.textContent)")

    def type_in(name, words):
        tab.get(
            f"(e => {{ e.value = {words!r}; e.oninput(); }})(document.getElementById('{name}'))"
        )

    with browser(tmp_path) as tab:
        tab.size(1280, 900)
        tab.open(page.as_uri())
        tab.wait("document.querySelectorAll('tbody td').length")
        assert count() == "72 of 72"
        tab.click("thead th:nth-child(6) button")
        best = [float(text) for text in column(6)]
        assert best == sorted(best, reverse=True)
        # The row with a figure on test comes first either way; the others have none.
        for _ in range(2):
            tab.click("thead th:nth-child(7) button")
            assert column(7)[:2] == ["87.5", ""]
        type_in("words", "softmatch BETA=5")
        assert count() == "12 of 72"
        assert set(column(1)) == {"GradMix w/ SoftMatch"}
        type_in("words", "")
        type_in("settings", "beta=5 steps>=500 lr<0.1")
        assert count() == "36 of 72"
        type_in("k", "3")
        assert count() == "9 of 72"
        assert set(column(3)) == {"3"}
        # What is none is no number.
        type_in("settings", "pseudo=0")
        assert count() == "0 of 72"
        type_in("settings", "beta>5")
        assert count() == "0 of 72"
        assert tab.get("document.getElementById('empty').hidden") is False
        tab.click("#clear")
        assert count() == "72 of 72"
        tab.click("tbody td button")
        shown = tab.get("document.getElementById('one').innerText")
        assert "87.5 %" in shown
        assert "momentum" in shown
        tab.size(390, 844)
        tab.open("about:blank")
        tab.open(page.as_uri())
        tab.wait("document.querySelectorAll('tbody td').length")
        assert tab.get("document.documentElement.scrollWidth") == 390
        assert tab.get("document.getElementById('scroll').scrollWidth") <= 390
