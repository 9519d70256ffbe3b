"""Where the records of finished reproductions are, and how they are read."""

import json
from pathlib import Path
from typing import Any

from tasks.storage.home import HomeError

FORMAT = 1
FOLDER = "reproductions"
FILE = "record.json"


def record_folder(name: str, home: Path) -> Path:
    """Where the record and the report of a reproduction are."""
    return home / FOLDER / name


def find_record(run: str, home: Path) -> dict[str, Any]:
    """The record of a reproduction.

    Args:
        run: its name, or the id of its MLflow run.
        home: the home folder.

    Raises:
        HomeError: if there is none, or it cannot be read.
    """
    known = []
    for path in sorted((home / FOLDER).glob(f"*/{FILE}")):
        record = _read(path)
        known.append(str(record["name"]))
        if run in {record["name"], record["run_id"]}:
            return record
    raise HomeError(
        f"expected a finished reproduction ({', '.join(known) or 'there is none yet'}) or the id "
        f"of its MLflow run, found {run!r}; start one with gradmix reproduce."
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = record["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HomeError(
            f"expected the record of a reproduction, found an unreadable {path}; remove it, and "
            "gradmix reproduce makes it again."
        ) from error
    if found != FORMAT:
        raise HomeError(
            f"expected a record of format {FORMAT}, found format {found} in {path}; use the "
            "version that made it, or gradmix reproduce makes it again."
        )
    return record
