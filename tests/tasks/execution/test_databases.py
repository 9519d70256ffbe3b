"""Databases: whole or not there, made once, and never taken for whole when a kill left them."""

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.errors import StageError
from tasks.execution import databases
from tasks.execution.databases import MLFLOW, PREFECT, DatabaseKind, cache_folder, ensure_database

# Stands in for a library: its tables, in a third of a second that a kill may come in.
MAKER = """
import sqlite3, sys, time
from pathlib import Path
Path(sys.argv[1]).parent.joinpath("made").open("a").write("x")
with sqlite3.connect(sys.argv[1]) as database:
    database.execute("create table experiments (name)")
    database.execute("create table runs (name)")
    time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 0)
"""


@pytest.fixture
def kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DatabaseKind:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(databases, "python_module", lambda code: [sys.executable, "-P", "-c", code])
    return DatabaseKind(library="mlflow", maker=MAKER, used="experiments", counted="runs")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def query(path: Path, words: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database, database:
        return database.execute(words).fetchall()


def test_one_is_made_for_all_homes(kind: DatabaseKind, home: Path, tmp_path: Path) -> None:
    for name in ("a.db", "b.db", "c.db"):
        ensure_database(kind, home / name)
        query(home / name, "insert into experiments values ('x')")

    assert query(home / "c.db", "select count(*) from experiments") == [(1,)]
    assert (tmp_path / "cache" / "gradmix" / "made").read_text() == "x"
    assert sorted(path.name for path in home.iterdir()) == ["a.db", "b.db", "c.db"]


def test_without_a_cache_it_is_made_in_the_home(
    kind: DatabaseKind, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "cache_folder", lambda: None)

    ensure_database(kind, home / "a.db")

    assert sorted(path.name for path in home.iterdir()) == ["a.db", "made"]


def test_a_cache_that_cannot_be_read_or_written_keeps_nobody_from_working(
    kind: DatabaseKind, home: Path, tmp_path: Path
) -> None:
    ensure_database(kind, home / "a.db")
    (empty,) = (tmp_path / "cache" / "gradmix").glob("*.db")
    empty.write_bytes(b"damaged" * 100)

    ensure_database(kind, home / "b.db")

    assert query(home / "b.db", "select count(*) from runs") == [(0,)]


def test_a_database_in_use_stays_as_it_is(kind: DatabaseKind, home: Path) -> None:
    path = home / "mlflow.db"
    query(path, "create table experiments (name)")
    query(path, "insert into experiments values ('mine')")

    ensure_database(kind, path)

    assert query(path, "select name from experiments") == [("mine",)]
    assert [entry.name for entry in home.iterdir()] == ["mlflow.db"]


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_what_lies_beside_a_database_that_is_gone_is_not_played_into_the_new_one(
    kind: DatabaseKind, home: Path, end: str
) -> None:
    (home / f"mlflow.db{end}").write_text("of another database")

    ensure_database(kind, home / "mlflow.db")

    assert [entry.name for entry in home.iterdir()] == ["mlflow.db"]


def test_one_that_takes_too_long_is_one_line_and_leaves_nothing(
    kind: DatabaseKind, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "LIMIT_S", 0.01)
    monkeypatch.setattr(databases, "cache_folder", lambda: None)

    with pytest.raises(StageError, match=r"within 0\.01 s, found it half made"):
        ensure_database(kind, home / "a.db")

    assert list(home.iterdir()) == []


def test_a_fresh_copy_is_no_half_made_one(kind: DatabaseKind, home: Path) -> None:
    ensure_database(kind, home / "mlflow.db")
    ensure_database(kind, home / "mlflow.db")

    assert [entry.name for entry in home.iterdir()] == ["mlflow.db"]


@pytest.mark.parametrize("tables", [["x"], ["experiments"], ["experiments", "runs"]])
def test_a_half_made_one_is_set_aside_and_made_again(
    kind: DatabaseKind, home: Path, caplog: pytest.LogCaptureFixture, tables: list[str]
) -> None:
    path = home / "mlflow.db"
    for table in tables:
        query(path, f"create table {table} (name)")
    if "runs" in tables:
        query(path, "insert into runs values ('a'), ('b')")

    with caplog.at_level(logging.WARNING):
        ensure_database(kind, path)

    assert query(path, "select count(*) from experiments") == [(0,)]
    assert query(home / "mlflow.half-made-1.db", "select name from sqlite_master") == [
        (table,) for table in tables
    ]
    (line,) = caplog.messages
    held = 2 if "runs" in tables else 0
    assert f"it holds {held} runs" in line
    assert str(home / "mlflow.half-made-1.db") in line


def test_an_empty_file_is_replaced_without_words(
    kind: DatabaseKind, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "mlflow.db").touch()

    ensure_database(kind, home / "mlflow.db")

    assert query(home / "mlflow.db", "select count(*) from experiments") == [(0,)]
    assert caplog.messages == []


def test_what_is_no_database_is_left_to_its_library(kind: DatabaseKind, home: Path) -> None:
    (home / "mlflow.db").write_bytes(b"no database" * 100)

    ensure_database(kind, home / "mlflow.db")

    assert (home / "mlflow.db").read_bytes() == b"no database" * 100


def test_a_maker_that_fails_is_one_line(kind: DatabaseKind, home: Path) -> None:
    broken = replace(kind, maker="raise SystemExit('no such column')")

    with pytest.raises(StageError, match=r"could not be made: no such column \[exit code 1\]"):
        ensure_database(broken, home / "mlflow.db")

    assert list(home.iterdir()) == []


MAKER_WITH_A_PAUSE = MAKER.replace("else 0", "else 0.3")
SLOW = f"""
import sys
from pathlib import Path
from tasks.execution import databases
databases.python_module = lambda code: [sys.executable, "-P", "-c", code]
maker = {MAKER_WITH_A_PAUSE!r}
kind = databases.DatabaseKind(library="mlflow", maker=maker, used="experiments", counted="runs")
print("go", flush=True)
databases.ensure_database(kind, Path(sys.argv[1]))
"""


def test_killed_at_any_moment_it_is_whole_or_not_there(
    kind: DatabaseKind, home: Path, tmp_path: Path
) -> None:
    for number in range(12):
        path = home / f"{number}" / "mlflow.db"
        path.parent.mkdir()
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / f"cache-{number}")}
        with subprocess.Popen(
            [sys.executable, "-P", "-c", SLOW, str(path)], env=environment, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(number * 0.06)
            process.send_signal(signal.SIGKILL)
        if path.exists():
            assert query(path, "select count(*) from runs") == [(0,)]

        ensure_database(kind, path)

        assert query(path, "select count(*) from runs") == [(0,)]
        assert [entry.name for entry in path.parent.glob("*half*")] == []


def test_the_cache_lies_where_the_user_keeps_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in [("XDG_CACHE_HOME", ""), ("XDG_CACHE_HOME", "not/absolute")]:
        monkeypatch.setenv(name, value)
        assert cache_folder() == tmp_path / ".cache" / "gradmix"

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_folder() == tmp_path / "caches" / "gradmix"


def test_where_there_can_be_no_cache_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    assert cache_folder() is None


@pytest.mark.slow
def test_the_libraries_open_what_was_made_for_them(tmp_path: Path) -> None:
    for kind in (MLFLOW, PREFECT):
        ensure_database(kind, tmp_path / f"{kind.library}.db")
        revisions = query(tmp_path / f"{kind.library}.db", "select * from alembic_version")
        assert len(revisions) == 1

    assert query(tmp_path / "mlflow.db", "select count(*) from experiments") == [(0,)]
    assert query(tmp_path / "mlflow.db", "select name from workspaces") == [("default",)]
