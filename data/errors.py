"""The errors that a user can fix: of every package, and of this one."""


class UserError(Exception):
    """An error that a user can fix: one line saying what was expected, found, and what to do."""


class DataError(UserError, ValueError):
    """Data that cannot be used: one line saying what was expected, found, and what to do."""


def one_line(error: BaseException) -> str:
    """Another library's error as one line of text; its class name when it has no text."""
    return " ".join(str(error).split()) or type(error).__name__
