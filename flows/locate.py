"""Where in an experiment file a key stands, for error messages; tomllib does not tell."""

import re

Key = tuple[str | int, ...]

_TABLE = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_ASSIGNMENT = re.compile(r"^\s*([A-Za-z0-9_\-.\"]+)\s*=")


def line_numbers(text: str) -> dict[Key, int]:
    """Line, from 1, of every table and every key that starts a line of a TOML text."""
    lines: dict[Key, int] = {}
    counts: dict[str, int] = {}
    table: Key = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _TABLE.match(line)
        if header:
            name = header.group(2)
            table = _key(name)
            if header.group(1) == "[[":
                table = (*table, counts.get(name, 0))
                counts[name] = counts.get(name, 0) + 1
            lines.setdefault(table, number)
            continue
        assignment = _ASSIGNMENT.match(line)
        if assignment:
            lines.setdefault((*table, *_key(assignment.group(1))), number)
    return lines


def line_of(lines: dict[Key, int], key: Key) -> int | None:
    """Line of a key, or of the nearest table or key around it; None if there is none."""
    for end in range(len(key), 0, -1):
        if key[:end] in lines:
            return lines[key[:end]]
    return None


def _key(dotted: str) -> Key:
    return tuple(part.strip().strip('"') for part in dotted.split("."))
