"""Addresses of SQLite databases, for any path."""

from pathlib import Path
from urllib.parse import quote


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
