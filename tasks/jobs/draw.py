"""Job: draw the embedded photos or clips of a split."""

from pathlib import Path

from data.catalog import list_files
from tasks.jobs.inputs.draw import DrawJob
from tasks.outcome import Outcome


def run(job: DrawJob, folder: Path) -> Outcome:
    """Draw them into the folder `drawn`, unless they exist."""
    list_files(job.reader, None, job.split, drawn=folder / "drawn")
    return Outcome()
