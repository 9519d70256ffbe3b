"""The embedded photos or clips of a split, as they are drawn inside a slot process."""

from pathlib import Path
from typing import Any

from data.catalog import list_files


def run(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Draw them into the folder `drawn`, unless they are there."""
    list_files(job["reader"], None, job["split"], drawn=folder / "drawn")
    return {}
