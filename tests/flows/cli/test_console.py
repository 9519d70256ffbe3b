"""How commands print, and the home folder that they look into."""

import io

import pytest

from flows.cli.console import expect_home, open_console, short
from tasks.storage.home import HomeError, open_home


def test_a_home_that_is_there_is_accepted(tmp_path):
    home = open_home(tmp_path / "home")
    expect_home(home)


@pytest.mark.parametrize("name", ["none", "empty", "thesis"])
def test_where_there_is_none_nothing_is_made(tmp_path, monkeypatch, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(HomeError, match=rf"^expected [^\n]*{name}[^\n]*--home[^\n]*$"):
        expect_home(tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_pipe_gets_text_as_it_is_on_one_line(monkeypatch):
    console = open_console()
    console.file = io.StringIO()
    line = "k=2 [bold]x[/red] :smile: 3.5 " + "x" * 500
    console.print(line)
    assert console.file.getvalue() == line + "\n"


def test_a_path_below_is_said_from_here_and_any_other_in_full(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert short(tmp_path / "here" / "runs" / "x") == "runs/x"
    assert short(tmp_path / "x") == str(tmp_path / "x")
