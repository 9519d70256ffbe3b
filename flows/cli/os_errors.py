"""Explains errors of the operating system, with advice for the command."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from flows.cli.errors import OneLineError


class Place(NamedTuple):
    """A folder or file named by an option."""

    option: str
    path: Path


OPTIONS = {"out": "--out", "home": "--home", "html": "--html", "data": "--data"}
"""Parameters that name places; the first one that contains a file is reported."""
_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_TOO_MANY = {errno.EMFILE, errno.ENFILE}
_AWAY = {
    errno.EIO,
    errno.ESTALE,
    errno.ENODEV,
    errno.ENXIO,
    errno.ENOTCONN,
    errno.ETIMEDOUT,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.EREMOTEIO,
}
_GOES_ON = "Finished work is kept, and the same command continues."


@contextmanager
def os_errors(parameters: Mapping[str, Any]) -> Iterator[None]:
    """Turn an OSError into one line with advice for this command.

    Args:
        parameters: parameters of the command, by name.

    Raises:
        OneLineError: instead of an OSError.
    """
    try:
        yield
    except BrokenPipeError:
        # From an internal pipe or socket; output never raises it (`flows.cli.terminal`).
        raise
    except OSError as error:
        line = explanation(error, parameters)
        if line is None:
            raise
        raise OneLineError(line) from error


def explanation(error: OSError, parameters: Mapping[str, Any]) -> str | None:
    """Explain an error in one line; None if it does not concern a file or the system.

    Args:
        error: the error.
        parameters: parameters of the command, by name.
    """
    if error.errno is None:
        return None
    file = _path(error.filename)
    place = _place(file, parameters)
    where = str(file) if file is not None else "the disk" if place is None else str(place.path)
    found = f"found {error.strerror or os.strerror(error.errno)} ({where})"
    return f"expected {_expected(error.errno)}, {found}; {_advice(error.errno, place)}"


def _expected(number: int) -> str:
    if number in _FULL:
        return "room on the disk"
    if number in _FORBIDDEN:
        return "permission to read and write"
    if number in _TOO_MANY:
        return "more files to be allowed open"
    if number == errno.ENAMETOOLONG:
        return "a path that the file system takes"
    if number in {errno.ENOENT, errno.ENOTDIR, errno.EISDIR}:
        return "a file or folder that was there to stay so"
    return "the system and its disks to work"


def _advice(number: int, place: Place | None) -> str:
    other = "" if place is None else f", or name another place with {place.option}"
    if number in _FULL:
        return f"make room{other}. {_GOES_ON}"
    if number in _FORBIDDEN:
        return f"change the permissions{other}. {_GOES_ON}"
    if number in _TOO_MANY:
        return f"raise the limit (ulimit -n). {_GOES_ON}"
    if number == errno.ENAMETOOLONG:
        return f"use a shorter path{other}."
    if number in _AWAY:
        return f"check the disk or its mount{other}. {_GOES_ON}"
    return f"check that nothing else changes it{other}. {_GOES_ON}"


def _path(name: str | bytes | int | None) -> Path | None:
    return Path(os.fsdecode(name)) if isinstance(name, str | bytes) and name else None


def _place(file: Path | None, parameters: Mapping[str, Any]) -> Place | None:
    """The option whose place contains the file; without a file, the first one given."""
    places = [
        Place(option, Path(str(parameters[name])).absolute())
        for name, option in OPTIONS.items()
        if parameters.get(name)
    ]
    if file is None:
        return next((place for place in places if place.option != "--data"), None)
    absolute = file.absolute()
    return next((place for place in places if absolute.is_relative_to(place.path)), None)
