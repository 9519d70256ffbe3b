"""The embedded photos or clips of a split, as they are drawn inside a slot process."""

from dataclasses import dataclass
from pathlib import Path

from data.catalog import list_files
from tasks.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class DrawJob:
    """Name of the embedded reader, and the split."""

    reader: str
    split: str


def run(job: DrawJob, folder: Path) -> Outcome:
    """Draw them into the folder `drawn`, unless they are there."""
    list_files(job.reader, None, job.split, drawn=folder / "drawn")
    return Outcome()
