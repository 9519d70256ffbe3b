"""The error that a stage shows a user, and others' errors in one line."""

from data.errors import UserError
from tasks.redaction import redacted


class StageError(UserError, RuntimeError):
    """A stage could not finish: one line with what was expected, found, and to be done."""


class VariableError(UserError, ValueError):
    """An environment variable has a wrong value: its name, what was expected, and found."""


def first_line(error: Exception) -> str:
    """The first line of an error's message, without secrets."""
    return redacted(next(iter(str(error).strip().splitlines()), type(error).__name__))
