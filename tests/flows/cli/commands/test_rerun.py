"""`gradmix rerun`, with the reproduction replaced."""

import pytest
from click.testing import CliRunner

from deploy.cli import main
from flows.cli.commands import rerun as rerun_command
from tasks.storage.home import open_home

CELL = "beta=10,gamma=0"
AGAIN = ["k=2 draw=0: GradMix beta=10 gamma=0", "k=2 draw=0: select top 2"]


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """No fleet, no storage, no home folder of the user's."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.delenv("GRADMIX_HOME", raising=False)
    monkeypatch.delenv("GRADMIX_STORAGE", raising=False)


@pytest.fixture
def runs(monkeypatch):
    """In place of a reproduction: with which engine it was asked for."""
    runs = []
    monkeypatch.setattr(rerun_command, "run_spec", lambda *given: (runs.append(given[3]), AGAIN)[1])
    return runs


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def rerun(tiny, home):
    """Run the command; returns lines of standard output, and standard error."""
    path = tiny()

    def run(*words, cell=CELL, code=0):
        options = ["--scale", "tiny", "--home", "home", "--cell", cell]
        result = CliRunner().invoke(main, ["rerun", path, *options, *words])
        assert isinstance(result.exception, SystemExit | None), result.exception
        assert result.exit_code == code, result.output
        return result.stdout.splitlines(), result.stderr

    return run


@pytest.fixture
def finished(tiny_order, imitate, home):
    imitate(tiny_order(), open_home(home))


def results(home):
    return sorted(home.glob("artifacts/*/*/result.json"))


def test_what_is_finished_is_not_done_again(rerun, finished, runs, home):
    before = results(home)
    assert rerun() == (
        [f"Nothing to do: {CELL} and what is made from it are finished (--force)."],
        "",
    )
    assert runs == []
    assert results(home) == before


def test_with_force_it_is_forgotten_and_run_and_what_ran_is_listed(rerun, finished, runs, home):
    before = results(home)
    lines, _ = rerun("--force")
    assert lines == [
        f"Again: {CELL} and what is made from it, 6 stages.",
        "Ran 2 stages:",
        *(f"  {label}" for label in AGAIN),
    ]
    assert runs == ["local"]
    assert len(before) - len(results(home)) == 6


def test_what_is_missing_is_run_without_force(rerun, runs, home):
    lines, _ = rerun()
    assert lines[0] == "Ran 2 stages:"
    assert runs == ["local"]
    assert (home / "gradmix-home.json").exists()


@pytest.mark.parametrize("cell", ["", "beta=10", "beta=7,gamma=0", "beta=10,gamma=0,k=3"])
def test_a_wrong_cell_costs_one_line_and_nothing_is_written(rerun, runs, home, cell):
    _, err = rerun("--force", cell=cell, code=2)
    assert err.startswith("gradmix: --cell: expected ")
    assert err.count("\n") == 1
    assert not home.exists()
    assert runs == []


def test_without_workers_nothing_is_forgotten(rerun, finished, runs, home):
    before = results(home)
    _, err = rerun("--force", "--engine", "workers", code=2)
    assert err.startswith("gradmix: --engine workers: expected a fleet")
    assert results(home) == before


def test_a_cell_must_be_named(tiny, home):
    result = CliRunner().invoke(main, ["rerun", tiny()])
    assert result.exit_code == 2
    assert "Missing option '--cell'" in result.stderr
    assert not home.exists()
