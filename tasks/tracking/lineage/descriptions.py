"""The description that MLflow shows on the page of a run or model: lines of links, kept in order.

What a person has written there stays.
"""

import re
from collections.abc import Sequence

from tasks.tracking.addresses import MODE

NOTE = "mlflow.note.content"
"""The tag that MLflow's pages show as the description, as Markdown."""

LONGEST = 20
"""Links of one line: a model may be used by any number of reproductions."""

LETTERS = 6000
"""Of a description with its table; MLflow takes 8000, and links may be added."""

# Lists in place of lines would be hidden: the page folds a description after a few lines.
_BETWEEN = " · "


def link(text: str, page: str) -> str:
    """A Markdown link within MLflow's pages."""
    plain = re.sub(r"([\\\[\]*_`<>])", r"\\\1", text.replace(_BETWEEN, " "))
    return f"[{plain}]({page})"


def with_links(note: str, heading: str, links: Sequence[str]) -> str:
    """A note whose line of that heading holds these links; new ones stand first.

    Args:
        note: the note so far.
        heading: of the line, which is added at the end if it is new.
        links: Markdown; those that are there already stay where they are.
    """
    title = f"**{heading}:** "
    lines = note.split("\n") if note else []
    found = next((i for i, line in enumerate(lines) if line.startswith(title)), None)
    if found is None:
        lines += [*([""] if lines else []), title]
        found = len(lines) - 1
    # Links of version 0.2 and earlier open MLflow's other mode.
    line = re.sub(r"\]\((#[^)?]*)\)", rf"](\1{MODE})", lines[found])
    listed = [item for item in line.removeprefix(title).split(_BETWEEN) if item]
    new = [item for item in dict.fromkeys(links) if item not in listed]
    lines[found] = title + _BETWEEN.join([*new, *listed][:LONGEST])
    return "\n".join(lines)


def with_table(note: str, table: str) -> str:
    """A note with this table in place of its first one; a new one stands at the end.

    Args:
        note: the note so far.
        table: Markdown; rows that would make the note longer than MLflow takes are left out.
    """
    lines = note.split("\n") if note else []
    first = next((i for i, line in enumerate(lines) if line.startswith("|")), None)
    if first is None:
        lines += [""] if lines else []
        first = len(lines)
    last = first
    while last < len(lines) and lines[last].startswith("|"):
        last += 1
    rows, room = [], LETTERS - sum(map(len, lines[:first] + lines[last:]))
    for row in table.split("\n"):
        room -= len(row) + 1
        rows += [row] if room >= 0 else []
    return "\n".join([*lines[:first], *rows, *lines[last:]])
