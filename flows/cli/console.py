"""Shared by all commands: printing, and the check of the home folder."""

from functools import partial
from pathlib import Path

from rich.console import Console

from tasks.storage.home import MARKER, HomeError

PLAIN_WIDTH = 10_000
"""Wider than any terminal, so that lines are not wrapped in piped output."""


def open_console() -> Console:
    """Console for a command's output."""
    # No markup: labels, paths and errors may contain square brackets.
    plain = partial(Console, markup=False, emoji=False, highlight=False)
    console = plain()
    return console if console.is_terminal else plain(width=PLAIN_WIDTH)


def expect_home(home: Path) -> None:
    """Check that a folder is a home folder.

    Raises:
        HomeError: if it is not.
    """
    if not (home / MARKER).exists():
        raise HomeError(f"expected a gradmix home, found none in {home}; name it with --home.")


def short(path: Path) -> str:
    """A path relative to the working directory, if it is below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
