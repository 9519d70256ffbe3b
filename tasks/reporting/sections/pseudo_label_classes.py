"""The report's tables on pseudo-labels by class; for many classes, the extremes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasks.reporting.measures import of_clips, sample_noun
from tasks.reporting.record import Record
from tasks.reporting.records.labels import LabelRecord
from tasks.reporting.render.captions import how_to_read
from tasks.reporting.result_table import NONE, percent
from tasks.reporting.text_tables import markdown_table

MANY = 20
"""Maximum number of classes with one column each."""
SHOWN = 3
"""Number of classes shown at each extreme."""
FILE = "pseudo_label_classes.csv"
"""File with all classes if there are many."""


@dataclass(frozen=True)
class ClassLabels:
    """An ensemble's labels for one class.

    Attributes:
        name: name of the class.
        count: hard labels given.
        precision: share of them that are correct, in [0, 1]; None if there are none.
        enlarged_v: its samples in the enlarged V, including V.
    """

    name: str
    count: int
    precision: float | None
    enlarged_v: int


def many_classes(record: Record) -> bool:
    """Whether there are too many for a column each."""
    return len(record.classes) > MANY


def labels_by_class(record: Record, entry: LabelRecord) -> list[ClassLabels]:
    """Classes of an entry, in the record's order."""
    columns = (entry.count_per_class, entry.precision_per_class, entry.enlarged_v)
    return [ClassLabels(*values) for values in zip(record.classes, *columns, strict=True)]


def class_parts(record: Record) -> list[str]:
    """Labels by class, and the classes that did not fill the enlarged V."""
    entries, sample = record.pseudo_labels, f"{sample_noun(record)}s"
    if many_classes(record):
        return [*_ends(record, entries), _short_count(record, entries)]
    lines = [
        [str(entry.k), str(entry.draw), *map(_text, labels_by_class(record, entry))]
        for entry in entries
    ]
    return [
        f"Per class: hard labels given; their precision in per cent; {sample} in the enlarged V.",
        markdown_table(["k", "draw", *(f"class {name}" for name in record.classes)], lines),
        _short_names(record, entries),
        how_to_read("label classes"),
    ]


def _text(one: ClassLabels) -> str:
    return f"{one.count:,}; {percent(one.precision)}; {one.enlarged_v:,}"


def _ends(record: Record, entries: Sequence[LabelRecord]) -> list[str]:
    """One line per entry: the classes with the fewest and the most."""
    header = ["k", "draw", "without", "fewest labels", "most labels"]
    header += ["lowest precision %", "highest precision %"]
    lines = [
        [str(entry.k), str(entry.draw), *_end_texts(labels_by_class(record, entry))]
        for entry in entries
    ]
    return [
        f"By class, of {len(record.classes)}: how many have no hard label; of the others, the "
        f"{SHOWN} with the fewest and the most labels, and the {SHOWN} with the lowest and the "
        "highest precision, with numbers of labels in brackets. "
        f"`{FILE}` has every class.",
        markdown_table(header, lines, left=(0, 3, 4, 5, 6)),
        how_to_read("label ends"),
    ]


def _end_texts(classes: Sequence[ClassLabels]) -> list[str]:
    found = [one for one in classes if one.count]

    def first(key: Callable[[ClassLabels], tuple[float, ...]], *, share: bool) -> str:
        some = sorted(found, key=key)[:SHOWN]
        said = (
            f"{one.name} {percent(one.precision)} ({one.count:,})"
            if share
            else f"{one.name} {one.count:,}"
            for one in some
        )
        return ", ".join(said) or NONE

    return [
        str(len(classes) - len(found)),
        first(lambda one: (one.count,), share=False),
        first(lambda one: (-one.count,), share=False),
        first(lambda one: (one.precision or 0.0, -one.count), share=True),
        first(lambda one: (-(one.precision or 0.0), -one.count), share=True),
    ]


def _short_names(record: Record, entries: Sequence[LabelRecord]) -> str:
    """Classes that did not reach their size in the enlarged V."""
    short = [
        f"{one.name} (k = {entry.k}, draw {entry.draw}: {one.enlarged_v})"
        for entry in entries
        for one in _short(record, entry)
    ]
    return f"{_short_of(record)}: class {', '.join(short)}." if short else ""


def _short_count(record: Record, entries: Sequence[LabelRecord]) -> str:
    """Number of such classes, and the one with the fewest."""
    said = []
    for entry in entries:
        short = _short(record, entry)
        if short:
            least = min(short, key=lambda one: one.enlarged_v)
            said.append(
                f"{len(short)} of {len(record.classes)} (k = {entry.k}, draw "
                f"{entry.draw}; the fewest: {least.name}, {least.enlarged_v})"
            )
    return f"{_short_of(record)}: {', '.join(said)}." if said else ""


def _short(record: Record, entry: LabelRecord) -> list[ClassLabels]:
    wanted = record.settings["ensemble"]["enlarged_v"]
    return [one for one in labels_by_class(record, entry) if one.enlarged_v < wanted]


def _short_of(record: Record) -> str:
    unit = "clip" if of_clips(record) else sample_noun(record)
    return (
        f"Short of the {record.settings['ensemble']['enlarged_v']} {unit}s a "
        "class that the enlarged V asks for, because fewer were agreed on"
    )
