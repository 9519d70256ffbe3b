"""What all commands share: how they print, and the home folder that they look into."""

from functools import partial
from pathlib import Path

from rich.console import Console

from tasks.storage.home import MARKER, HomeError

PLAIN_WIDTH = 10_000
"""Columns of output that no terminal shows: one line stays one line."""


def open_console() -> Console:
    """Where a command prints."""
    # No markup: a label, a path or an error may hold square brackets.
    plain = partial(Console, markup=False, emoji=False, highlight=False)
    console = plain()
    return console if console.is_terminal else plain(width=PLAIN_WIDTH)


def expect_home(home: Path) -> None:
    """Refuse a folder that is not a home folder yet.

    Raises:
        HomeError: if it is none.
    """
    if not (home / MARKER).exists():
        raise HomeError(f"expected a gradmix home, found none in {home}; name it with --home.")


def short(path: Path) -> str:
    """A path relative to here, where that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
