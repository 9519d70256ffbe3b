"""Addresses of databases whose paths hold what means something in an address."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from tasks.storage.database_url import aside_command, sqlite_path, sqlite_url

# "." and ".." are no names: a path drops the one, and means another folder by the other.
NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1
).filter(lambda name: name not in {".", ".."})


@given(NAMES)
def test_the_path_comes_back_out_of_the_address(name: str) -> None:
    path = Path("/home", name, "mlflow.db")

    for driver in ("", "aiosqlite"):
        assert make_url(sqlite_url(path, driver)).database == str(path)
        assert sqlite_path(sqlite_url(path, driver)) == path


@pytest.mark.parametrize("url", ["http://127.0.0.1:5000", "postgresql://a/b", "sqlite://", ""])
def test_other_addresses_have_no_database_file(url: str) -> None:
    assert sqlite_path(url) is None


def test_a_database_is_moved_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    folder = tmp_path / "it's $HOME; a folder"
    folder.mkdir()
    for _ in range(2):
        for name in ("x.db", "x.db-wal", "x.dbx"):
            (folder / name).touch()
        subprocess.run(["sh", "-c", aside_command(folder / "x.db")], check=True)

    assert [p.name for p in folder.iterdir() if p.is_file()] == ["x.dbx"]
    for number in (1, 2):
        aside = folder / f"x.db.aside-{number}"
        assert sorted(p.name for p in aside.iterdir()) == ["x.db", "x.db-wal"]


@given(NAMES)
def test_it_is_quoted_as_sqlalchemy_does(name: str) -> None:
    address = sqlite_url(Path("/", name), "pysqlite")

    assert address == URL.create("sqlite+pysqlite", database=f"/{name}").render_as_string()


def test_a_plain_path_is_left_as_it_is() -> None:
    assert sqlite_url(Path("/a b/mlflow.db")) == "sqlite:////a b/mlflow.db"


@pytest.mark.parametrize("name", ["q?x", "p%41x", "a#b", "é", "a b", "a+b", "a&b=c"])
def test_the_database_is_opened_at_the_path(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    with closing(sqlite3.connect(folder / "x.db")) as database:
        database.execute("create table seen (n integer)")

    engine = create_engine(sqlite_url(folder / "x.db"))
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from seen")).scalar() == 0
    engine.dispose()

    assert [entry.name for entry in tmp_path.iterdir()] == [name]
