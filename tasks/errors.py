"""The error that a stage shows a user."""


class StageError(RuntimeError):
    """A stage could not finish: one line with what was expected, found, and to be done."""
