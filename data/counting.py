"""Counts in messages: `1 file`, `2 files`, `1 class`, `0 copies`."""

from collections.abc import Mapping

_SIBILANTS = ("ch", "s", "sh", "x")
_VOWELS = "aeiou"


def counted(count: int, noun: str) -> str:
    """A number with its noun, in the singular or plural.

    Args:
        count: the number; shown with thousands separators.
        noun: singular; only its last word changes, as in "labelled file".
    """
    return f"{count:,} {noun if count == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Regular plural of a noun, by its ending: files, classes, copies."""
    if noun.endswith(_SIBILANTS):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in _VOWELS:
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def singular(media: str) -> str:
    """`photo` or `clip`, from the name of a medium."""
    return media.removesuffix("s")


def tallied(counts: Mapping[str, int]) -> str:
    """Counts by reason, for reasons of any grammar: `hidden files (1), empty folders (3)`."""
    return ", ".join(f"{why} ({count:,})" for why, count in counts.items())
