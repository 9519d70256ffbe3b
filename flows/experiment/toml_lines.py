"""Line numbers of the keys of a TOML file, which tomllib does not give."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

Key = tuple[str | int, ...]

# A multi-line string may end in up to five quotes, of which the last three close it.
_STRING = (
    r'"""(?:\\[\s\S]|[^\\])*?"""(?:"{0,2})'
    r"|'''[\s\S]*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
)
_NOTHING = re.compile(r"(?:\s|#[^\n]*)*")
_STATEMENT = re.compile(
    rf"(?P<bracket>\[\[?)(?P<table>(?:{_STRING}|[^\]\"'#\n])+)\]\]?"
    rf"|(?P<key>(?:{_STRING}|[^=\"'#\n])+)="
)
_VALUE = re.compile(rf"(?:{_STRING})|#[^\n]*|[\[\]{{}}\n]|[^\[\]{{}}\n\"'#]+")


def line_numbers(text: str) -> dict[Key, int]:
    """Lines, from 1, of all tables and assigned keys of a TOML text.

    A key inside an array or an inline table has no line of its own; `line_of` returns the line of
    the assignment.

    Args:
        text: valid TOML; for other text, whatever can be found is returned.
    """
    lines: dict[Key, int] = {}
    counts: dict[Key, int] = {}
    table: Key = ()
    for number, statement in _statements(text):
        if statement["key"] is not None:
            key = (*table, *_parts(statement["key"]))
        else:
            key = table = _table(statement, counts)
        for end in range(1, len(key)):
            lines.setdefault(key[:end], number)
        lines[key] = number
    return lines


def line_of(lines: dict[Key, int], key: Key) -> int | None:
    """Line of a key, or of the nearest table or key around it; None if there is none."""
    for end in range(len(key), 0, -1):
        if key[:end] in lines:
            return lines[key[:end]]
    return None


def _statements(text: str) -> Iterator[tuple[int, re.Match[str]]]:
    """All table headers and assigned keys, with their lines."""
    position, number = 0, 1
    while True:
        start = _end(_NOTHING.match(text, position), position)
        number += text.count("\n", position, start)
        statement = _STATEMENT.match(text, start)
        if statement is None:
            return
        yield number, statement
        end = statement.end()
        position = end if statement["key"] is None else _value_end(text, end)
        number += text.count("\n", start, position)


def _value_end(text: str, position: int) -> int:
    """End of the value that starts at `position`: the next line end outside all brackets."""
    depth = 0
    while token := _VALUE.match(text, position):
        if token[0] == "\n" and depth <= 0:
            break
        depth += (token[0] in "[{") - (token[0] in "]}")
        position = token.end()
    return position


def _end(match: re.Match[str] | None, otherwise: int) -> int:
    return match.end() if match else otherwise


def _table(header: re.Match[str], counts: dict[Key, int]) -> Key:
    """Key of a table header; numbers tables in arrays by `counts`, which is updated."""
    *around, last = _parts(header["table"]) or [""]
    table: Key = ()
    for part in around:
        table = (*table, part)
        if table in counts:
            table = (*table, counts[table] - 1)
    table = (*table, last)
    if header["bracket"] == "[[":
        counts[table] = counts.get(table, 0) + 1
        table = (*table, counts[table] - 1)
    return table


def _parts(dotted: str) -> list[str]:
    """The parts of a dotted key, unquoted; empty if it is not a key."""
    parts = []
    try:
        node: Any = tomllib.loads(f"{dotted.strip()} = 0")
    except tomllib.TOMLDecodeError:
        return []
    while isinstance(node, dict):
        part, node = next(iter(node.items()))
        parts.append(part)
    return parts
