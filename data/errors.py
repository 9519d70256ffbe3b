"""Errors a user can fix: the base class for all packages, and this package's."""

from collections.abc import Sequence


class UserError(Exception):
    """An error a user can fix: one line with what was expected, what was found, and what to do."""

    @property
    def lines(self) -> list[str]:
        """Lines to print: one, unless the error covers several problems."""
        return [" ".join(str(self).split())]


class DataError(UserError, ValueError):
    """Unusable data: one line with what was expected, what was found, and what to do."""


class ProblemsError(DataError):
    """Several problems at once: one line each for the first `MOST`, then how many more.

    Args:
        problems: one line per problem.
        what: what has the problems, for the last line.
    """

    MOST = 8

    def __init__(self, problems: Sequence[str], what: str) -> None:
        self.problems = tuple(problems)
        shown = list(self.problems[: self.MOST])
        more = len(self.problems) - len(shown)
        if more:
            shown.append(f"{what}: and {more:,} more; correct these first.")
        super().__init__("\n".join(shown))

    @property
    def lines(self) -> list[str]:
        """Lines to print: one per problem, and the count of the others."""
        return str(self).splitlines()


def one_line(error: BaseException) -> str:
    """Another library's error as one line of text; its class name if it has no text."""
    return " ".join(str(error).split()) or type(error).__name__
