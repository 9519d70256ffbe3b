"""What all commands share: how they print, and the check of the home folder."""

from functools import partial
from pathlib import Path

from rich.console import Console

from tasks.storage.home import MARKER, HomeError

PLAIN_WIDTH = 10_000
"""Wider than any terminal, so that a line stays one line where output is piped."""


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
    """A path relative to the working directory, if it is below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
