"""Measures of accuracy: per image or, for clips, per frame or per clip."""

from dataclasses import dataclass

from tasks.reporting.record import Paper, Record
from tasks.reporting.records.rows import RowRecord, TestScores


@dataclass(frozen=True)
class Measure:
    """One way to count test accuracy.

    Attributes:
        name: name in words, such as "per frame".
        noun: what is counted, in the singular.
        by_clip: whether whole clips are counted.
        held_out: whether held-out labels are counted, as there is no test split.
    """

    name: str
    noun: str
    by_clip: bool = False
    held_out: bool = False

    def accuracy(self, entry: TestScores) -> float | None:
        """Accuracy of an entry of the record, in [0, 1]."""
        if self.held_out:
            return entry.accuracy if isinstance(entry, RowRecord) else None
        return entry.test_clip_accuracy if self.by_clip else entry.test_accuracy

    def count(self, entry: TestScores) -> int | None:
        """Number of samples counted."""
        if self.held_out:
            return entry.held_out if isinstance(entry, RowRecord) else None
        return entry.test_clips if self.by_clip else entry.test_n

    def paper(self, record: Record) -> Paper:
        """The paper's figures."""
        return record.paper_clips if self.by_clip else record.paper


IMAGES = Measure("per image", "image")
FRAMES = Measure("per frame", "frame")
VIDEOS = Measure("per video", "clip", by_clip=True)
"""In the paper's terms (§4.3): the mean softmax of a clip's frames decides."""


HELD_OUT = Measure("on held-out labels", "label", held_out=True)


def has_test(record: Record) -> bool:
    """Whether there is a test split, which is optional for labelled files."""
    return record.labelled is None or any(entry.split == "test" for entry in record.data)


def figure_name(record: Record) -> str:
    """Name of the figure in the table of all rows."""
    return "test accuracy" if has_test(record) else "accuracy on held-out labels"


def of_clips(record: Record) -> bool:
    """Whether the target of a record consists of clips."""
    if record.labelled is not None:
        return any(entry.clips is not None for entry in record.data if entry.split == "train")
    return any(row.test_clip_accuracy is not None for row in record.rows)


def measures(record: Record) -> tuple[Measure, ...]:
    """The measures of a record, starting with the one used for selection."""
    if not has_test(record):
        return (HELD_OUT,)
    return (FRAMES, VIDEOS) if of_clips(record) else (IMAGES,)


def main_table(record: Record) -> int:
    """Number in the paper of the table of all rows."""
    return 3 if of_clips(record) else 1


def selected_by(record: Record) -> str:
    """` per frame`, to append to "accuracy" if there are several measures."""
    return f" {FRAMES.name}" if of_clips(record) else ""


def sample_noun(record: Record) -> str:
    """Noun for the unit of batches and pseudo-labels."""
    return FRAMES.noun if of_clips(record) else "sample"
