"""Conversion between findings and pydantic's errors, in the terms of TOML."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from flows.experiment.issues import Finding, said, shown

# What pydantic's checks expect, in the terms of TOML.
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

_KINDS: dict[str, Literal["unknown", "absent"]] = {
    "unknown": "unknown",
    "absent": "absent",
    "missing": "absent",
}


def refuse(findings: Iterable[Finding], value: object = None) -> None:
    """Raise findings, if any, as a pydantic error, which prefixes the enclosing keys.

    Raises:
        ValidationError: if there are findings, one line each.
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


def findings_in(errors: Sequence[ErrorDetails]) -> list[Finding]:
    """Convert pydantic's errors to findings in the terms of TOML."""
    return [
        Finding(
            tuple(part for part in entry["loc"] if part != "[key]"),
            _sentence(entry),
            _KINDS.get(entry["type"], "wrong"),
        )
        for entry in errors
        if not _is_about_items(entry)
    ]


def _is_about_items(error: ErrorDetails) -> bool:
    """Whether an array only counts as too short because some of its items are wrong."""
    return error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]


def _sentence(error: ErrorDetails) -> str:
    kind, value = error["type"], error["input"]
    if kind in ("wrong", "unknown", "absent"):
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
    """How to write what the user probably meant."""
    if kind == "string_type" and isinstance(value, (int, float)):
        return "put it in quotes"
    if kind == "tuple_type" and isinstance(value, (int, float, str)):
        return "put it in square brackets"
    if isinstance(value, str) and kind in ("int_type", "float_type", "bool_type"):
        meant = re.fullmatch(r"[+-]?[0-9][0-9._eE+-]*|true|false", value)
        return "remove the quotes" if meant else "correct the value"
    return "correct the value"
