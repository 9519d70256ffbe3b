"""The one error that this package raises on purpose."""


class DataError(ValueError):
    """Data that cannot be used: one line saying what was expected, found, and what to do."""


def one_line(error: BaseException) -> str:
    """Another library's error as one line of text; its class name when it has no text."""
    return " ".join(str(error).split()) or type(error).__name__
