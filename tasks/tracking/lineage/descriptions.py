"""The description that MLflow shows on the page of a run or model: lines of links, kept in order.

What a person has written there stays.
"""

import re
from collections.abc import Sequence

NOTE = "mlflow.note.content"
"""The tag that MLflow's pages show as the description, as Markdown."""

LONGEST = 20
"""Links of one line: a model may be used by any number of reproductions."""

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
    listed = [item for item in lines[found].removeprefix(title).split(_BETWEEN) if item]
    new = [item for item in dict.fromkeys(links) if item not in listed]
    lines[found] = title + _BETWEEN.join([*new, *listed][:LONGEST])
    return "\n".join(lines)
