"""Whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from tasks.storage import atomic
from tasks.storage.atomic import replacing, write_atomically


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
