"""SQLite databases: their addresses, for any path, and their files."""

import re
import shlex
from pathlib import Path
from urllib.parse import quote, unquote

SIDE_FILES = ("-wal", "-shm", "-journal")
"""Ends of the names of files beside a database, which mean nothing without it."""
DAMAGED = re.compile("database disk image is malformed|file is not a database")
"""What SQLite says of a file that is no whole database."""
_ADDRESS = re.compile(r"sqlite(?:\+\w+)?:///(?P<path>[^?#]+)")


def sqlite_url(path: Path, driver: str = "") -> str:
    """The SQLAlchemy address of a database file.

    Args:
        path: absolute; it may hold `?`, `%` and `#`.
        driver: such as `aiosqlite`.
    """
    # What SQLAlchemy's URL.create gives, without the third of a second of its import.
    quoted = quote(str(path), safe=" +/")
    if driver or quoted != str(path):
        # MLflow takes an address without a driver apart by itself, and makes a folder of the
        # quoted name.
        return f"sqlite+{driver or 'pysqlite'}:///{quoted}"
    return f"sqlite:///{quoted}"


def sqlite_path(url: str) -> Path | None:
    """The database file of an address; None if it is not one of SQLite's."""
    found = _ADDRESS.fullmatch(url)
    return None if found is None else Path(unquote(found["path"]))


def side_files(path: Path) -> list[Path]:
    """The files that lie beside a database file."""
    beside = (path.with_name(f"{path.name}{end}") for end in SIDE_FILES)
    return [file for file in beside if file.exists()]


def aside_command(path: Path) -> str:
    """A command line for a shell that moves a database file out of the way, with all beside it.

    Args:
        path: of the file.
    """
    number = 1
    while (aside := path.with_name(f"{path.name}.aside-{number}")).exists():
        number += 1
    moved = [path, *side_files(path)]
    return (
        f"{shlex.join(['mkdir', str(aside)])} && {shlex.join(['mv', *map(str, moved), str(aside)])}"
    )
