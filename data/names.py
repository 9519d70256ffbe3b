"""Comparison of names of classes and files across Unicode forms, case and spelling."""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from itertools import combinations

_LIKE = 0.875
_NUMBERS = re.compile(r"\d+")


def normal(name: str) -> str:
    """A name in NFC; macOS archives use decomposed accents, which look the same."""
    return unicodedata.normalize("NFC", name)


def fold(name: str) -> str:
    """A key that is equal for names that differ only in Unicode form or case."""
    return normal(unicodedata.normalize("NFD", name).casefold())


def both(first: str, second: str) -> str:
    """Two spellings of one name for a message, escaped if they look the same."""
    if normal(first) != normal(second):
        return f"'{first}' and '{second}'"
    return f"{first!a} and {second!a} (two Unicode forms of '{normal(first)}')"


def look_alike(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Pairs of names that may mean the same class, by case, separators, plural or a typo.

    Names with different numbers are different classes.
    """
    keys = {name: _bare(name) for name in dict.fromkeys(names)}
    return tuple(pair for pair in combinations(keys, 2) if _alike(*(keys[name] for name in pair)))


def _alike(first: str, second: str) -> bool:
    if _NUMBERS.findall(first) != _NUMBERS.findall(second):
        return False
    if first in _singulars(second) or second in _singulars(first):
        return True
    # One letter inserted or deleted in names of five or more letters, or changed in eight or more.
    match = difflib.SequenceMatcher(a=first, b=second, autojunk=False)
    return match.real_quick_ratio() >= _LIKE and match.ratio() >= _LIKE


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", fold(name))


def _singulars(key: str) -> set[str]:
    """A name and its possible singulars."""
    plurals = (("s", ""), ("es", ""), ("ies", "y"))
    return {key} | {key.removesuffix(end) + one for end, one in plurals if key.endswith(end)}
