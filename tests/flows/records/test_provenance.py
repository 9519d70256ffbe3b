"""Where a record says that it was made."""

import shutil
import subprocess
from pathlib import Path

import pytest

from flows.records import provenance
from flows.records.provenance import git_commit, hardware, versions


def git(folder, *arguments):
    settings = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=m"]
    command = ["git", "-C", str(folder), *settings, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with a copy of the module in it, not yet added; the code runs from there."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    copy = tmp_path / "flows" / "provenance.py"
    copy.parent.mkdir()
    shutil.copy(Path(provenance.__file__), copy)
    monkeypatch.setattr(provenance, "__file__", str(copy))
    git(tmp_path, "init", "-q")
    return tmp_path


def test_a_commit_is_named_and_changes_are_told(checkout):
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "x")
    sha = git(checkout, "rev-parse", "HEAD")
    assert git_commit() == {"git_sha": sha, "git_dirty": False}
    (checkout / "untracked").touch()
    assert git_commit() == {"git_sha": sha, "git_dirty": False}
    (checkout / "flows" / "provenance.py").write_text("changed")
    assert git_commit() == {"git_sha": sha, "git_dirty": True}


def test_a_commit_of_the_repository_around_an_installation_is_not_ours(checkout):
    (checkout / "other").touch()
    git(checkout, "add", "other")
    git(checkout, "commit", "-q", "-m", "x")
    assert git_commit() == {"git_sha": None, "git_dirty": False}


def test_without_git_there_is_no_commit(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit() == {"git_sha": None, "git_dirty": False}


def test_hardware_and_versions_are_named():
    machine = hardware(["cpu:0"])
    assert machine["slots"] == ["cpu:0"]
    assert machine["cores"] >= 1
    assert machine["memory_gib"] > 0
    assert machine["cpu"]
    assert set(versions()) == {"python", *provenance.PACKAGES}
