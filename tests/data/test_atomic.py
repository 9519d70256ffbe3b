"""Files appear complete or not at all."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data import atomic
from data.atomic import replacing, sweep, write_atomically


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("before")

    with replacing(path) as temporary:
        temporary.write_bytes(b"after")
        assert path.read_text() == "before"

    assert path.read_text() == "after"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_what_fails_half_way_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("before")

    def write_half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()

    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_bytes_are_on_the_disk_before_they_have_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "fsync", full)

    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "a.json", "{}")

    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from data.atomic import replacing, temporary_folder
with temporary_folder(Path(sys.argv[1], "pull")), replacing(Path(sys.argv[1], "a.json")) as path:
    path.write_text("half")
    path.with_name(f"{path.name}-wal").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_what_a_killed_process_has_left_is_swept(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-P", "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 3

    sweep([tmp_path])

    assert names(tmp_path) == []


def test_what_is_being_written_is_not_swept(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.json") as temporary:
        temporary.write_text("{}")
        sweep([tmp_path])

    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize(
    "name",
    [
        ".a.json.999999999-1-00000000.tmp",  # of another host
        ".a.json.999999999-1.tmp",  # of version 0.1.0
    ],
)
def test_what_another_host_may_be_writing_is_swept_a_day_after_its_last_change(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.touch()

    sweep([tmp_path])
    assert names(tmp_path) == [name]

    before = path.stat().st_mtime - atomic.ABANDONED_S - 1
    os.utime(path, (before, before))
    sweep([tmp_path])
    assert names(tmp_path) == []


def test_files_of_others_are_not_swept(tmp_path: Path) -> None:
    mine = sorted([".tmp", ".a.tmp", "a.json.1-2-00000000.tmp"])
    for name in mine:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))

    sweep([tmp_path])

    assert names(tmp_path) == mine
