"""The errors that a user can fix: of every package, and of this one."""

from collections.abc import Sequence


class UserError(Exception):
    """An error that a user can fix: one line saying what was expected, found, and what to do."""

    @property
    def lines(self) -> list[str]:
        """What to print: one line, unless the error is about several things."""
        return [" ".join(str(self).split())]


class DataError(UserError, ValueError):
    """Data that cannot be used: one line saying what was expected, found, and what to do."""


class ProblemsError(DataError):
    """Several things that are wrong at once: a line each, as many as anybody would read.

    Args:
        problems: one line each.
        what: has them.
    """

    MOST = 20

    def __init__(self, problems: Sequence[str], what: str) -> None:
        self.problems = tuple(problems)
        shown = list(self.problems[: self.MOST])
        more = len(self.problems) - len(shown)
        if more:
            shown.append(f"{what}: and {more:,} more; correct these first.")
        super().__init__("\n".join(shown))


def one_line(error: BaseException) -> str:
    """Another library's error as one line of text; its class name when it has no text."""
    return " ".join(str(error).split()) or type(error).__name__
