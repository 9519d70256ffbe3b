"""What counts as one right answer: an image; of clips, a frame or the whole clip."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measure:
    """One way to count test accuracy.

    Attributes:
        name: in words, such as "per frame".
        accuracy: key of the accuracy in an entry of the record, in [0, 1].
        count: key of what was counted.
        paper: key of the paper's figures in the record.
        noun: what is counted, in the singular.
    """

    name: str
    accuracy: str
    count: str
    paper: str
    noun: str


IMAGES = Measure("per image", "test_accuracy", "test_n", "paper", "image")
FRAMES = Measure("per frame", "test_accuracy", "test_n", "paper", "frame")
VIDEOS = Measure("per video", "test_clip_accuracy", "test_clips", "paper_clips", "clip")
"""The paper's words (§4.3): the mean softmax of a clip's frames decides."""


def of_clips(record: Mapping[str, Any]) -> bool:
    """Whether the target of a record is clips."""
    return any(VIDEOS.accuracy in row for row in record["rows"])


def measures(record: Mapping[str, Any]) -> tuple[Measure, ...]:
    """The ways that a record counts, the one that its trainings were selected by first."""
    return (FRAMES, VIDEOS) if of_clips(record) else (IMAGES,)


def main_table(record: Mapping[str, Any]) -> int:
    """The paper's number of the table of all rows."""
    return 3 if of_clips(record) else 1


def selected_by(record: Mapping[str, Any]) -> str:
    """` per frame`, to be put behind "accuracy" where there is more than one."""
    return f" {FRAMES.name}" if of_clips(record) else ""


def sample_noun(record: Mapping[str, Any]) -> str:
    """What batches, V in them and pseudo-labels count."""
    return FRAMES.noun if of_clips(record) else "sample"
