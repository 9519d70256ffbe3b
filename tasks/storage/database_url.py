"""URLs and files of SQLite databases."""

import re
import shlex
from pathlib import Path
from urllib.parse import quote, unquote

SIDE_FILES = ("-wal", "-shm", "-journal")
"""Suffixes of a database's companion files, which are useless without it."""
DAMAGED = re.compile("database disk image is malformed|file is not a database")
"""SQLite's messages for a damaged database."""
_ADDRESS = re.compile(r"sqlite(?:\+\w+)?:///(?P<path>[^?#]+)")


def sqlite_url(path: Path, driver: str = "") -> str:
    """SQLAlchemy URL of a database file.

    Args:
        path: absolute path; may contain `?`, `%` and `#`.
        driver: driver name, such as `aiosqlite`.
    """
    # Same result as SQLAlchemy's URL.create, whose import takes a third of a second.
    quoted = quote(str(path), safe=" +/")
    if driver or quoted != str(path):
        # MLflow parses a URL without a driver itself, and creates a folder with the quoted name.
        return f"sqlite+{driver or 'pysqlite'}:///{quoted}"
    return f"sqlite:///{quoted}"


def sqlite_path(url: str) -> Path | None:
    """Database file of a URL; None if it is not an SQLite URL."""
    found = _ADDRESS.fullmatch(url)
    return None if found is None else Path(unquote(found["path"]))


def side_files(path: Path) -> list[Path]:
    """Existing companion files of a database."""
    beside = (path.with_name(f"{path.name}{end}") for end in SIDE_FILES)
    return [file for file in beside if file.exists()]


def aside_command(path: Path) -> str:
    """Shell command that moves a database file and its companions out of the way.

    Args:
        path: path of the database file.
    """
    number = 1
    while (aside := path.with_name(f"{path.name}.aside-{number}")).exists():
        number += 1
    moved = [path, *side_files(path)]
    return (
        f"{shlex.join(['mkdir', str(aside)])} && {shlex.join(['mv', *map(str, moved), str(aside)])}"
    )
