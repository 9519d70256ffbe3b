"""The home folder: who may write there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from data.atomic import write_atomically
from tasks.storage import home as home_module
from tasks.storage.home import (
    MARKER,
    HomeError,
    check_home,
    exclusive,
    home_named,
    open_home,
    sweep_home,
)

HOLD = """
import sys, time
from pathlib import Path
from tasks.storage.home import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def refusal(folder: Path, opened=open_home) -> str:
    with pytest.raises(HomeError) as raised:
        opened(folder)
    message = str(raised.value)
    assert "\n" not in message
    assert "another" in message
    return message


def test_a_new_home_is_made_with_its_parents_and_a_marker(tmp_path: Path) -> None:
    home = open_home(tmp_path / "a" / "runs")

    content = json.loads((home / MARKER).read_text())
    assert content["format"] == 1
    assert content["made_by"]
    assert [entry.name for entry in home.iterdir()] == [MARKER]


def test_a_home_is_opened_again_with_everything_in_it(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    (home / "artifacts").mkdir()
    marker = (home / MARKER).read_bytes()

    assert open_home(tmp_path) == home
    assert (home / MARKER).read_bytes() == marker


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert open_home(Path("runs")) == tmp_path / "runs"
    assert check_home(Path("runs")) == tmp_path / "runs"


@pytest.mark.parametrize(
    ("given", "variable", "meant"),
    [
        ("a", "b", "a"),
        (None, "b", "b"),
        ("", "b", "b"),
        (None, None, "runs"),
        (None, "", "runs"),
    ],
)
def test_a_home_is_the_one_that_is_given_or_the_environments_or_runs(
    monkeypatch: pytest.MonkeyPatch, given: str | None, variable: str | None, meant: str
) -> None:
    if variable is None:
        monkeypatch.delenv("GRADMIX_HOME", raising=False)
    else:
        monkeypatch.setenv("GRADMIX_HOME", variable)

    assert home_named(given) == Path(meant)


@pytest.mark.parametrize("opened", [open_home, check_home])
def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path, opened) -> None:
    (tmp_path / "thesis.tex").touch()

    assert "'thesis.tex'" in refusal(tmp_path, opened)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_hidden_files_do_not_make_a_folder_foreign(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").touch()

    open_home(tmp_path)

    assert (tmp_path / MARKER).exists()


@pytest.mark.parametrize("opened", [open_home, check_home])
def test_a_home_of_another_format_names_both_formats_and_its_maker(tmp_path: Path, opened) -> None:
    (tmp_path / MARKER).write_text('{"format": 2, "made_by": "9.1"}')

    message = refusal(tmp_path, opened)

    assert "format 1, found format 2 made by gradmix 9.1" in message


@pytest.mark.parametrize("opened", [open_home, check_home])
@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"format": 1}', "\xff"])
def test_an_unreadable_marker_is_refused(tmp_path: Path, content: str, opened) -> None:
    (tmp_path / MARKER).write_text(content, encoding="latin-1")

    assert f"unreadable {tmp_path / MARKER}" in refusal(tmp_path, opened)


@pytest.mark.parametrize("opened", [open_home, check_home])
def test_a_marker_that_is_a_folder_is_one_line_too(tmp_path: Path, opened) -> None:
    (tmp_path / MARKER).mkdir()

    refusal(tmp_path, opened)


@pytest.mark.parametrize("opened", [open_home, check_home])
def test_a_file_in_the_way_is_refused(tmp_path: Path, opened) -> None:
    (tmp_path / "runs").write_text("a file")

    refusal(tmp_path / "runs", opened)
    assert (tmp_path / "runs").read_text() == "a file"


def test_a_home_that_became_read_only_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_home(tmp_path)

    def read_only(**_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(home_module.tempfile, "TemporaryFile", read_only)

    assert "Read-only file system" in refusal(tmp_path)


def test_looking_makes_nothing(tmp_path: Path) -> None:
    check_home(tmp_path / "runs")
    check_home(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_home_is_held_by_one_process_until_that_is_killed(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-P", "-c", HOLD, str(home)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"

        with pytest.raises(HomeError, match=rf"^[^\n]*\(pid {other.pid}\) is using {home}"):
            exclusive(home).__enter__()
        other.kill()
        other.wait()

    with exclusive(home):
        pass


def test_the_lock_is_given_back_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path):
        raise ZeroDivisionError

    with exclusive(tmp_path):
        # A child that outlives the holder, as a server may, must not keep the lock.
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with exclusive(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "result.json"
    write_atomically(path, "first")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(home_module.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, "second")

    assert path.read_text() == "first"


LEFT = ".a.json.1-1.tmp"
"""As version 0.1.0 named what a kill could leave."""


@pytest.mark.parametrize(
    "place",
    ["", "fleet", "prefect-2", "reproductions/tiny", "status", "work", "work/train/0123/"],
)
def test_what_kills_have_left_is_swept_wherever_something_is_written(
    tmp_path: Path, place: str
) -> None:
    folder = open_home(tmp_path / "home") / place
    folder.mkdir(parents=True, exist_ok=True)
    for name in (LEFT, "kept.json"):
        (folder / name).touch()
        os.utime(folder / name, (0, 0))

    sweep_home(tmp_path / "home")

    assert not (folder / LEFT).exists()
    assert (folder / "kept.json").exists()
    assert (tmp_path / "home" / MARKER).exists()
