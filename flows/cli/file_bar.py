"""A progress bar over files, on a terminal only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

NAMED = 10
"""Maximum files a command names as left out; a table lists all of them."""


@contextmanager
def file_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error; yields what to call with the number of files done and in all.

    Args:
        what: what the files are, as its title.
    """
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    plain = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=plain) as bar:
        shown = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(shown, completed=done, total=total)
