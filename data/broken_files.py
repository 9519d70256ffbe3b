"""Limit on the files that are skipped because they cannot be decoded."""

from data.errors import DataError

SHOWN = 3


def check_share(
    reasons: dict[str, str], total: int, most: float, what: str, setting: str = "images.max_broken"
) -> None:
    """Raise DataError if all files or too many of them are broken.

    Args:
        reasons: reason for each broken file.
        total: total number of files.
        most: maximum fraction of broken files.
        what: plural noun for the files, for the message.
        setting: name of the setting behind `most`, for the message.
    """
    if len(reasons) > most * total or len(reasons) == total:
        first = "; ".join(f"{file}: {_cause(why)}" for file, why in list(reasons.items())[:SHOWN])
        raise DataError(
            f"expected at most {most:.0%} broken {what}, found {len(reasons):,} of {total:,}, the "
            f"first of which are {first}; replace them, or raise {setting}."
        )


def _cause(reason: str) -> str:
    """A reason without its advice, since the message gives its own."""
    return reason.rpartition(": ")[0] or reason
