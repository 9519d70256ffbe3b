"""Errors of the system, by what they mean for a command."""

import errno
import os
from pathlib import Path

import pytest

from flows.cli.errors import OneLineError
from flows.cli.os_errors import explanation, os_errors

HOME = {"home": Path("/h")}
OUT = {"out": "/o", "videos": "/v"}


def error(number: int, file: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), file)


@pytest.mark.parametrize(
    ("number", "file", "parameters", "line"),
    [
        (
            errno.ENOSPC,
            "/h/a",
            HOME,
            "expected room on the disk, found No space left on device (/h/a); make room, or name "
            "another place with --home. Finished work is kept, and the same command continues.",
        ),
        (
            errno.EDQUOT,
            None,
            OUT,
            "expected room on the disk, found Disk quota exceeded (/o); make room, or name another "
            "place with --out. Finished work is kept, and the same command continues.",
        ),
        (
            errno.ENOSPC,
            "/t/x",
            HOME,
            "expected room on the disk, found No space left on device (/t/x); make room. "
            "Finished work is kept, and the same command continues.",
        ),
        (
            errno.EACCES,
            "/d/train",
            {**HOME, "data": "/d"},
            "expected permission to read and write, found Permission denied (/d/train); change the "
            "permissions, or name another place with --data. Finished work is kept, and the same "
            "command continues.",
        ),
        (
            errno.EMFILE,
            "/h/a",
            HOME,
            "expected more files to be allowed open, found Too many open files (/h/a); raise the "
            "limit (ulimit -n). Finished work is kept, and the same command continues.",
        ),
        (
            errno.ENAMETOOLONG,
            "/h/a",
            HOME,
            "expected a path that the file system takes, found File name too long (/h/a); use a "
            "shorter path, or name another place with --home.",
        ),
        (
            errno.ESTALE,
            "/h/a",
            HOME,
            "expected the system and its disks to work, found Stale file handle (/h/a); check the "
            "disk or its mount, or name another place with --home. Finished work is kept, and the "
            "same command continues.",
        ),
        (
            errno.ENOENT,
            "/d/1.png",
            {"data": "/d"},
            "expected a file or folder that was there to stay so, found No such file or directory "
            "(/d/1.png); check that nothing else changes it, or name another place with --data. "
            "Finished work is kept, and the same command continues.",
        ),
    ],
)
def test_the_line_names_the_file_and_the_option_of_its_place(
    number: int, file: str | None, parameters: dict[str, object], line: str
) -> None:
    assert explanation(error(number, file), parameters) == line


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_number_is_one_line_and_names_no_option_that_the_command_lacks(number: int) -> None:
    line = explanation(error(number, "/o/a"), OUT)

    assert line is not None
    assert "\n" not in line
    assert os.strerror(number) in line
    assert "--home" not in line


def test_an_error_without_a_number_keeps_its_traceback() -> None:
    broken = OSError("of a library")
    assert explanation(broken, HOME) is None

    with pytest.raises(OSError, match="of a library") as caught, os_errors(HOME):
        raise broken
    assert caught.value is broken


def test_in_a_command_it_is_an_error_of_one_line() -> None:
    with pytest.raises(OneLineError, match="--out"), os_errors(OUT):
        raise error(errno.EROFS, "/o")
