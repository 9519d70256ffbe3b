"""What messages tell people to do, done."""

import logging
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from data.errors import UserError
from tasks.execution.databases import MLFLOW, ensure_database
from tasks.storage.database_url import sqlite_url
from tasks.tracking.mlflow_store import TrackingError
from tasks.tracking.tracker import DATABASE, Tracker, open_tracker

CANARY = "geheim"


def command_in(error):
    """The command line that a message holds."""
    words = str(error).partition(": env ")[2].partition(" ;")[0]
    return shlex.split(f"env {words}")


@pytest.fixture
def broken_home(tmp_path, monkeypatch):
    """A home folder whose name holds what means something in an address and in a shell."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "a home?%41#'x"
    folder.mkdir()
    ensure_database(MLFLOW, folder / DATABASE)
    return folder


@pytest.mark.slow
def test_a_trashed_experiment_comes_back_by_the_command_that_is_named(broken_home):
    from mlflow import MlflowClient

    tracker = open_tracker(broken_home, "digits")
    client = MlflowClient(sqlite_url(broken_home / DATABASE))
    client.delete_experiment(tracker._store.experiment_id())

    with pytest.raises(TrackingError, match="restore it: env ") as caught:
        open_tracker(broken_home, "digits")
    subprocess.run(command_in(caught.value), check=True, capture_output=True)

    assert open_tracker(broken_home, "digits")._store.experiment_id()


@pytest.mark.slow
def test_a_database_of_another_version_names_an_upgrade_that_can_be_run(broken_home):
    def set_revision(revision):
        with closing(sqlite3.connect(broken_home / DATABASE)) as database, database:
            (before,) = database.execute("select version_num from alembic_version").fetchone()
            database.execute("update alembic_version set version_num = ?", [revision])
        return before

    ours = set_revision("f00d")
    with pytest.raises(TrackingError, match="one of another version") as caught:
        open_tracker(broken_home, "digits")
    set_revision(ours)

    subprocess.run(command_in(caught.value), check=True, capture_output=True)

    assert open_tracker(broken_home, "digits")._store.experiment_id()


@pytest.mark.slow
def test_a_damaged_database_is_moved_by_the_command_that_is_named(broken_home):
    (broken_home / DATABASE).write_text("no database " * 500)

    with pytest.raises(TrackingError, match=r"found a damaged .* makes a new") as e:
        open_tracker(broken_home, "digits")
    command = str(e.value).partition("out of the way: ")[2].partition(" ; ")[0]
    subprocess.run(["sh", "-c", command], check=True)

    ensure_database(MLFLOW, broken_home / DATABASE)
    # As for the user, in a new process: MLflow keeps connections to the database that was moved.
    again = f"open_tracker(Path({str(broken_home)!r}), 'digits')._store.experiment_id()"
    imports = "from pathlib import Path; from tasks.tracking.tracker import open_tracker"
    subprocess.run([sys.executable, "-c", f"{imports}; print({again})"], check=True)


def test_a_password_in_the_address_shows_nowhere(tmp_path, caplog):
    spool = tmp_path / "tracking-spool.jsonl"

    with caplog.at_level(logging.DEBUG):
        tracker = Tracker(f"http://user:{CANARY}@127.0.0.1:9/", "digits", None, spool)
        run = tracker.start_run("a", "b" * 64, "train", params={"x": 1})
        tracker.log_lineage(run, ["m"], "m", "registered")
        with pytest.raises(UserError) as caught:
            tracker.find("abcdef")

    seen = [caplog.text, spool.read_text(), str(caught.value), tracker.ui, str(tracker.pages())]
    assert [text for text in seen if CANARY in text] == []
    assert "http://user:***@127.0.0.1:9/" in caplog.text
    assert tracker.ui == "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("MLFLOW_HTTP_REQUEST_TIMEOUT", "soon", "an integer, found 'soon'"),
        ("MLFLOW_ENABLE_ASYNC_LOGGING", "perhaps", "true or false, found 'perhaps'"),
    ],
)
def test_a_wrong_value_is_one_line_with_its_variable(home, monkeypatch, name, value, line):
    monkeypatch.setenv(name, value)

    with pytest.raises(UserError, match=f"{name}: expected {line}; correct it, or unset it"):
        open_tracker(home, "digits")
