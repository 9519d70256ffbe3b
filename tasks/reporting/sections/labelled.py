"""The report's section on V given as labelled files: how certain its choices are."""

from collections.abc import Iterator

from data.counting import counted
from tasks.reporting.measures import has_test, of_clips
from tasks.reporting.record import Record
from tasks.reporting.records.inputs import ClassCorrections, LabelledRecord
from tasks.reporting.records.rows import RowRecord
from tasks.reporting.stats.proportions import exact_interval
from tasks.reporting.text_tables import markdown_table

OF_CLIPS = (
    " Accuracy is that of frames; as frames of one clip are alike, the interval takes it for a "
    "share of the clips, and counts these."
)


def labelled_section(record: Record) -> str:
    """Labels by class, what is held out and how, and the uncertainty of the rows' accuracies."""
    labelled = record.labelled
    if labelled is None:
        return ""
    noun = "clip" if of_clips(record) else "file"
    lines = [[name, f"{n:,}"] for name, n in zip(record.classes, labelled.counts, strict=True)]
    return "\n\n".join(
        [
            "## What the labels can show",
            f"V is the {counted(sum(labelled.counts), f'labelled {noun}')} of the target; U is "
            f"{counted(labelled.unlabelled, f'unlabelled {noun}')}. "
            f"{_how(labelled)}",
            markdown_table(["class", "labels"], lines),
            markdown_table(
                ["Method", "labels held out", "right", "accuracy %", "95 % interval"],
                [_line(row) for row in record.rows],
            ),
            "The interval is exact (Clopper-Pearson), for a single model. A row that is the best "
            "of several on the same labels is flattered by it, most of all the grid's row, which "
            "is the best cell on its own part." + (OF_CLIPS if of_clips(record) else ""),
            *_no_test(record),
            *_corrections(labelled),
        ]
    )


def _how(labelled: LabelledRecord) -> str:
    if not labelled.parts:
        return (
            f"{labelled.held_out:,} of the {counted(sum(labelled.counts), 'label')} choose "
            "settings and steps, "
            "and no model learns from those."
        )
    return (
        f"They are cross-fitted: V is cut into {counted(labelled.parts, 'part')}, and every "
        "setting is tried "
        "with each part held out in turn, so that each label is predicted by a model that has not "
        "seen it. A row's model then learns from all of V, with the settings and the number of "
        "steps that did best; it is not scored again. Cells of the grid hold out one part each. "
        "Corrected labels are never held out, because they were not drawn at random."
    )


def _line(row: RowRecord) -> list[str]:
    n = row.held_out or 0
    right = round(row.accuracy * n)
    low, high = exact_interval(right, n) if n else (0.0, 1.0)
    share = f"{100 * row.accuracy:.2f}"
    return [row.row, f"{n:,}", f"{right:,}", share, f"{100 * low:.1f} to {100 * high:.1f}"]


def _no_test(record: Record) -> Iterator[str]:
    if not has_test(record):
        yield (
            "**There is no test split: nothing is claimed beyond these estimates.** To know more, "
            "give `test = PATH`, labelled files that affect no choice."
        )


def _corrections(labelled: LabelledRecord) -> Iterator[str]:
    """Changes made by corrections."""
    found = labelled.corrections
    if not found and not labelled.rejected:
        return
    total = sum(one.corrected for one in found)
    labels, otherwise = sum(one.labelled for one in found), sum(one.otherwise for one in found)
    yield "### Corrections"
    yield (
        f"{counted(total, 'file')} joined V by corrections; {labelled.rejected:,} taken out. "
        f"{otherwise:,} of {counted(labels, 'corrected label')} that had a pseudo-label in an "
        "earlier run had been pseudo-labelled differently."
    )
    if found:
        header = ["class", "corrected", "pseudo-labelled before", "differently"]
        yield markdown_table(header, [_by_class(one) for one in found])


def _by_class(one: ClassCorrections) -> list[str]:
    return [one.label, f"{one.corrected:,}", f"{one.labelled:,}", f"{one.otherwise:,}"]
