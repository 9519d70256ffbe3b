"""Where the unlabelled files of a run lie, by the names that its artifacts have for them."""

import os
import shlex
from pathlib import Path

from tasks.reporting.record import Record


def file_roots(record: Record) -> list[Path]:
    """Folders that the names of the target's files start from; none for arrays.

    Relative paths of a run's command start from the working directory, as they did then.
    """
    settings = record.settings
    dataset = settings.get("datasets", {}).get(settings["target"].get("dataset"), {})
    words = shlex.split(record.command)
    given = words[words.index("--data") + 1] if "--data" in words[:-1] else None
    return [] if given is None else [(Path(given) / dataset.get("folder", "")).absolute()]


def find_file(name: str, roots: list[Path]) -> Path | None:
    """The file of that name; None if it is not there, or no file."""
    for root in roots:
        path = Path(os.path.normpath(root / name))
        if path.is_relative_to(root) and path.is_file():
            return path
    return None


def shown_path(name: str, roots: list[Path], folder: Path) -> str:
    """How a table in a folder names a file: relative where it lies below, else in full.

    A row of an array, or a file that is no longer there, has its name.
    """
    path = find_file(name, roots)
    if path is None:
        return name
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
