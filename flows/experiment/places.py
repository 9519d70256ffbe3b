"""The tables of an experiment file, from the settings' types: where a misplaced key belongs."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

from flows.experiment.fields import Frozen
from flows.experiment.issues import Finding
from flows.experiment.toml_lines import Key

_MOST = 2
"""Most tables to name: a key of more, such as `name`, says nothing."""

_NOT_WRITTEN = "scale"
"""Field of the settings that is no key of the file."""


def belonging(finding: Finding, whole: type[Frozen]) -> Finding:
    """Say which table an unknown key belongs to, if it is a key of one or two others.

    A key that is nearly one of its own table's is left as it is: it is misspelt.

    Args:
        finding: a finding, with its key from the top of the file.
        whole: type of the whole file's settings.
    """
    if finding.kind != "unknown" or finding.text.endswith("?"):
        return finding
    name, own = str(finding.key[-1]), _table_at(whole, finding.key[:-1])
    places = [] if own is None else _tables(whole).get(name, [])
    if not 1 <= len(places) <= _MOST:
        return finding
    said, _, _ = finding.text.rpartition("; ")
    return replace(finding, text=f"{said}; {name} belongs to {' or '.join(places)}.")


@cache
def _tables(whole: type[Frozen]) -> dict[str, list[str]]:
    """Headers of the tables that have a key, by key."""
    found: dict[str, list[str]] = {}
    for name, field in whole.model_fields.items():
        tables = list(_models(field.annotation))
        for pattern, inner in tables:
            for key in inner.model_fields:
                found.setdefault(key, []).append(pattern.format(name))
        if not tables and name != _NOT_WRITTEN:
            found.setdefault(name, []).append("the top of the file")
    return found


def _models(kind: Any, pattern: str = "[{}]") -> Iterator[tuple[str, type[Frozen]]]:  # noqa: ANN401 - any type
    """Types of tables in a type of values, each with its pattern of a header."""
    origin, arguments = get_origin(kind), get_args(kind)
    if isinstance(kind, type) and origin is None and issubclass(kind, Frozen):
        yield pattern, kind
    elif origin is tuple:
        yield from _models(arguments[0], "[[{}]]")
    elif origin is dict:
        yield from _models(arguments[1], "[{}.NAME]")
    elif origin in (Union, UnionType):
        for argument in arguments:
            yield from _models(argument, pattern)


def _table_at(whole: type[Frozen], key: Key) -> type[Frozen] | None:
    """Type of the table at a key; None for tables of other things, such as methods' settings."""
    table: type[Frozen] | None = whole
    for part in key:
        if table is None:
            return None
        # Places in arrays and names of data sets stay in the type of their array or table.
        if not isinstance(part, str) or (part not in table.model_fields and table is not whole):
            continue
        field = table.model_fields.get(part)
        table = next((inner for _, inner in _models(field.annotation)), None) if field else None
    return table
