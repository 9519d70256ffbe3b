"""Job: draw the embedded photos or clips of a split."""

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
    """Draw them into the folder `drawn`, unless they exist."""
    list_files(job.reader, None, job.split, drawn=folder / "drawn")
    return Outcome()
