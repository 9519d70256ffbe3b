"""Errors shown to users, and other errors reduced to one line."""

from data.errors import UserError
from tasks.redaction import redacted


class StageError(UserError, RuntimeError):
    """A stage could not finish: one line with what was expected, what was found and what to do."""


class VariableError(UserError, ValueError):
    """An environment variable has a wrong value: a one-line message."""


def first_line(error: Exception) -> str:
    """First line of an error's message, with secrets redacted."""
    return redacted(next(iter(str(error).strip().splitlines()), type(error).__name__))
