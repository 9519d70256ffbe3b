"""Files that cannot be decoded: left out and listed, up to a share."""

from data.errors import DataError

SHOWN = 3


def check_share(
    reasons: dict[str, str], total: int, most: float, what: str, setting: str = "images.max_broken"
) -> None:
    """Raise DataError if too many files are broken.

    Args:
        reasons: why, by file.
        total: files in all.
        most: share of them that may be broken.
        what: they are, in the plural.
        setting: that says so.
    """
    if len(reasons) > most * total or len(reasons) == total:
        first = "; ".join(f"{file}: {_cause(why)}" for file, why in list(reasons.items())[:SHOWN])
        raise DataError(
            f"expected at most {most:.0%} broken {what}, found {len(reasons):,} of {total:,}, the "
            f"first of which are {first}; replace them, or raise {setting}."
        )


def _cause(reason: str) -> str:
    """A reason without its advice: what is to be done is said once."""
    return reason.rpartition(": ")[0] or reason
