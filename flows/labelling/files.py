"""Finds a run's unlabelled files by their names in its artifacts."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from tasks.reporting.record import Record


def experiment_folder(record: Record) -> Path | None:
    """The folder of a run's experiment file; None if it is packaged or missing.

    Relative paths in the run's command are resolved against the working directory.
    """
    _, _, experiment, *_ = [*shlex.split(record.command), "", "", ""]
    path = Path(experiment).absolute()
    return path.parent if path.suffix == ".toml" and path.is_file() else None


def file_roots(record: Record) -> list[Path]:
    """Folders that the names of the target's files are relative to; empty for arrays."""
    if record.labelled is not None and record.labelled.files is not None:
        return [Path(record.labelled.files)]
    settings = record.settings
    dataset = settings.get("datasets", {}).get(settings["target"].get("dataset"), {})
    words = shlex.split(record.command)
    given = words[words.index("--data") + 1] if "--data" in words[:-1] else None
    return [] if given is None else [(Path(given) / dataset.get("folder", "")).absolute()]


def find_file(name: str, roots: list[Path]) -> Path | None:
    """Find a file by name; None if it does not exist."""
    for root in roots:
        path = Path(os.path.normpath(root / name))
        if path.is_relative_to(root) and path.is_file():
            return path
    return None


def shown_path(name: str, roots: list[Path], folder: Path) -> str:
    """Path of a file in a table: relative to the table's folder if below it, else absolute.

    Rows of arrays and missing files keep their names.
    """
    path = find_file(name, roots)
    if path is None:
        return name
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def full_names(names: Sequence[str], roots: list[Path]) -> list[str]:
    """Full path of each file, or its name if it does not exist."""
    return [str(find_file(name, roots) or name) for name in names]
