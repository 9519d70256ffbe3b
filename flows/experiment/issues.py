"""What is wrong with a setting: its key, what was expected, what was found, what to do."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from flows.experiment.toml_lines import Key

_LONGEST = 60
_BARE = re.compile(r"[A-Za-z0-9_-]+")

# What pydantic's checks expect, in the words of a TOML file.
_EXPECTED = {
    "int_type": "an integer",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "a string",
    "bool_type": "true or false",
    "tuple_type": "an array",
    "dict_type": "a table",
    "model_type": "a table",
    "literal_error": "{expected}",
    "greater_than": "a value greater than {gt:.12g}",
    "greater_than_equal": "a value of at least {ge:.12g}",
    "less_than": "a value less than {lt:.12g}",
    "less_than_equal": "a value of at most {le:.12g}",
    "too_short": "an array of length at least {min_length}",
    "too_long": "an array of length at most {max_length}",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, at a key that is relative to the part being checked."""

    key: Key
    text: str
    kind: Literal["wrong", "unknown"] = "wrong"


def said(expected: str, found: str, advice: str = "correct the value") -> str:
    """The sentence of a finding."""
    return f"expected {expected}, found {found}; {advice}."


def refuse(findings: Iterable[Finding], value: object = None) -> None:
    """Raise what was found, if anything, so that pydantic puts the keys around in front.

    Raises:
        ValidationError: with a line for each finding.
    """
    errors = [
        InitErrorDetails(
            type=PydanticCustomError(finding.kind, "{text}", {"text": finding.text}),
            loc=finding.key,
            input=value,
        )
        for finding in findings
    ]
    if errors:
        raise ValidationError.from_exception_data("settings", errors)


def not_among(key: Key, value: str, known: Sequence[str]) -> Finding:
    """A name that must be one of the known ones and is not."""
    return Finding(key, _choice(value, known, "correct the name"))


def unknown_keys(table: Iterable[str], known: Sequence[str]) -> list[Finding]:
    """The keys of a table that are not known."""
    return [
        Finding((name,), _choice(name, known, "remove it or correct its name"), "unknown")
        for name in table
        if name not in known
    ]


def repeated(values: Sequence[object]) -> list[int]:
    """Positions of the values that stand earlier already."""
    return [place for place, value in enumerate(values) if value in values[:place]]


def shown(value: object) -> str:
    """A value as TOML would have it, cut if it is long."""
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
    """A key as a reader would look for it: `baselines[2].method`, counted from 0."""
    name = ""
    for part in key:
        if isinstance(part, int):
            name += f"[{part}]"
        else:
            name += f".{part if _BARE.fullmatch(part) else shown(part)}"
    return name.removeprefix(".")


def key_and_text(errors: Sequence[ErrorDetails]) -> tuple[Key, str]:
    """Key and sentence of the most telling error: an unknown key explains a missing one."""
    first = min(errors, key=lambda error: error["type"] != "unknown")
    key = tuple(part for part in first["loc"] if part != "[key]")
    return key, _sentence(first)


def _sentence(error: ErrorDetails) -> str:
    kind, value = error["type"], error["input"]
    if kind in ("wrong", "unknown"):
        return error["msg"]
    if kind == "missing":
        return said("a value", "none", "add the key")
    if kind not in _EXPECTED:
        return said(f"another value ({error['msg']})", shown(value))
    expected = _EXPECTED[kind].format(**error.get("ctx", {})).replace("'", '"')
    if kind in ("too_short", "too_long"):
        return said(
            expected,
            f"length {len(value)}",
            "add values" if kind == "too_short" else "remove values",
        )
    return said(expected, shown(value), _advice(kind, value))


def _advice(kind: str, value: Any) -> str:  # noqa: ANN401 - any TOML value
    """How to write what was probably meant."""
    if kind == "string_type" and isinstance(value, (int, float)):
        return "put it in quotes"
    if kind == "tuple_type" and isinstance(value, (int, float, str)):
        return "put it in square brackets"
    if isinstance(value, str) and kind in ("int_type", "float_type", "bool_type"):
        meant = re.fullmatch(r"[+-]?[0-9][0-9._eE+-]*|true|false", value)
        return "remove the quotes" if meant else "correct the value"
    return "correct the value"


def _choice(value: str, known: Sequence[str], otherwise: str) -> str:
    expected = f"one of {', '.join(known)}" if known else "no key here"
    nearest = difflib.get_close_matches(value, known, n=1)
    advice = f"did you mean {nearest[0]}?" if nearest else f"{otherwise}."
    return f"expected {expected}, found {shown(value)}; {advice}"


def _huge(value: object) -> bool:
    # Python refuses to print integers of more than 4300 digits.
    return isinstance(value, int) and value.bit_length() > _LONGEST * 4
