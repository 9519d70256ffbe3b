"""What counts as one right answer: an image; of clips, a frame or the whole clip."""

from dataclasses import dataclass

from tasks.reporting.record import Paper, Record, TestScores


@dataclass(frozen=True)
class Measure:
    """One way to count test accuracy.

    Attributes:
        name: in words, such as "per frame".
        noun: what is counted, in the singular.
        by_clip: whether whole clips are counted.
    """

    name: str
    noun: str
    by_clip: bool = False

    def accuracy(self, entry: TestScores) -> float | None:
        """Of an entry of the record, in [0, 1]."""
        return entry.test_clip_accuracy if self.by_clip else entry.test_accuracy

    def count(self, entry: TestScores) -> int | None:
        """How many were counted."""
        return entry.test_clips if self.by_clip else entry.test_n

    def paper(self, record: Record) -> Paper:
        """The paper's figures."""
        return record.paper_clips if self.by_clip else record.paper


IMAGES = Measure("per image", "image")
FRAMES = Measure("per frame", "frame")
VIDEOS = Measure("per video", "clip", by_clip=True)
"""The paper's words (§4.3): the mean softmax of a clip's frames decides."""


def of_clips(record: Record) -> bool:
    """Whether the target of a record is clips."""
    return any(row.test_clip_accuracy is not None for row in record.rows)


def measures(record: Record) -> tuple[Measure, ...]:
    """The ways that a record counts, the one that its trainings were selected by first."""
    return (FRAMES, VIDEOS) if of_clips(record) else (IMAGES,)


def main_table(record: Record) -> int:
    """The paper's number of the table of all rows."""
    return 3 if of_clips(record) else 1


def selected_by(record: Record) -> str:
    """` per frame`, to be put behind "accuracy" where there is more than one."""
    return f" {FRAMES.name}" if of_clips(record) else ""


def sample_noun(record: Record) -> str:
    """What batches, V in them and pseudo-labels count."""
    return FRAMES.noun if of_clips(record) else "sample"
