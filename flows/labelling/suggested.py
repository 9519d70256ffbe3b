"""The images suggested on a review page, stored next to the corrections."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from data.atomic import write_atomically
from data.errors import DataError
from data.readers.corrections import read_corrections
from tasks.labelling.suggestions import REASONS, Suggestion

COLUMNS = ("path", "why")


def suggestion_table(corrections: Path) -> Path:
    """Path of the table of suggestions, next to that of the corrections."""
    return corrections.with_name(f"{corrections.stem}-next.csv")


def read_suggestions(path: Path, names: Sequence[str]) -> list[Suggestion]:
    """Read the suggestions, in order; empty without a table.

    Args:
        path: path of the table.
        names: names of the images.
    """
    if not path.exists():
        return []
    places = {name: place for place, name in enumerate(names)}
    found = []
    for row in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))):
        place = places.get(row.get("path", ""))
        why = next((why for why in REASONS if why == row.get("why")), None)
        if place is not None and why is not None:
            found.append(Suggestion(sample=place, why=why))
    return found


def write_suggestions(suggestions: Sequence[Suggestion], names: Sequence[str], path: Path) -> None:
    """Write the table atomically."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([COLUMNS, *((names[one.sample], one.why) for one in suggestions)])
    write_atomically(path, text.getvalue())


def checked_control(corrections: Path, names: Sequence[str]) -> dict[int, str]:
    """Read decisions on the control of a review, a random sample of the images.

    Args:
        corrections: table of decisions, next to the table of suggestions.
        names: names of the images.

    Returns:
        Class of each control image; "" for rejected ones.

    Raises:
        DataError: if a table is missing or invalid, or part of the control is undecided, as
            omissions are seldom random.
    """
    table = suggestion_table(corrections)
    control = {one.sample for one in read_suggestions(table, names) if one.why == "control"}
    if not control:
        raise DataError(
            f"--checked: expected a control of this run in {table}, found none; start one with "
            "gradmix review."
        )
    folder = corrections.absolute().parent
    places = {folder / names[place]: place for place in control}
    found = {
        places[one.path]: one.label for one in read_corrections(corrections) if one.path in places
    }
    if len(found) < len(control):
        raise DataError(
            "--checked: expected a decision on every image of the control "
            f"({len(control):,}), found "
            f"{len(found):,}; continue with gradmix review --out {corrections}."
        )
    return found
