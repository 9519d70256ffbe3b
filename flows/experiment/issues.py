"""Problems with settings: key, what was expected, what was found, what to do."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from flows.experiment.toml_lines import Key

_LONGEST = 60
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Finding:
    """A problem at a key, relative to the part being checked."""

    key: Key
    text: str
    kind: Literal["wrong", "unknown", "absent"] = "wrong"


def said(expected: str, found: str, advice: str = "correct the value") -> str:
    """Text of a finding."""
    return f"expected {expected}, found {found}; {advice}."


def not_among(key: Key, value: str, known: Sequence[str]) -> Finding:
    """Finding for a name that is not known."""
    return Finding(key, _choice(value, known, "correct the name"))


def unknown_keys(table: Iterable[str], known: Sequence[str]) -> list[Finding]:
    """Findings for the unknown keys of a table."""
    return [
        Finding((name,), _choice(name, known, "remove it or correct its name"), "unknown")
        for name in table
        if name not in known
    ]


def unexplained(
    found: Iterable[Finding], unknown: Iterable[Finding], known: Sequence[str]
) -> list[Finding]:
    """Findings of a table, without keys that are only missing because they are misspelt.

    Args:
        found: findings for the known keys.
        unknown: findings for the unknown keys.
        known: names of all keys.
    """
    meant = {name for entry in unknown for name in _nearest(str(entry.key[-1]), known)}
    return [entry for entry in found if not (entry.kind == "absent" and entry.key[0] in meant)]


def repeated(values: Sequence[object]) -> list[int]:
    """Positions of the values that repeat an earlier one."""
    return [place for place, value in enumerate(values) if value in values[:place]]


def shown(value: object) -> str:
    """A value in TOML syntax, truncated if long."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, (list, tuple)):
        text = f"[{', '.join(map(shown, value))}]"
    elif isinstance(value, (str, bool)):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = "a very large number" if _huge(value) else str(value)
    text = " ".join(text.splitlines())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def dotted(key: Key) -> str:
    """A key in readable form, such as `baselines[2].method`, counted from 0."""
    name = ""
    for part in key:
        if isinstance(part, int):
            name += f"[{part}]"
        else:
            name += f".{part if _BARE.fullmatch(part) else shown(part)}"
    return name.removeprefix(".")


def _choice(value: str, known: Sequence[str], otherwise: str) -> str:
    expected = f"one of {', '.join(known)}" if known else "no key here"
    nearest = _nearest(value, known)
    advice = f"did you mean {nearest[0]}?" if nearest else f"{otherwise}."
    return f"expected {expected}, found {shown(value)}; {advice}"


def _nearest(value: str, known: Sequence[str]) -> list[str]:
    return difflib.get_close_matches(value, known, n=1)


def _huge(value: object) -> bool:
    # Python refuses to print integers of more than 4300 digits.
    return isinstance(value, int) and value.bit_length() > _LONGEST * 4
