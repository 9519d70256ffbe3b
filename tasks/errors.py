"""The error that a stage shows a user, and others' errors in one line."""

from data.errors import UserError


class StageError(UserError, RuntimeError):
    """A stage could not finish: one line with what was expected, found, and to be done."""


class VariableError(UserError, ValueError):
    """An environment variable has a wrong value: its name, what was expected, and found."""


def first_line(error: Exception) -> str:
    """The first line of an error's message, at most 200 characters."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
