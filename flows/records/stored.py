"""Records of finished reproductions, as they lie in a home folder."""

import json
from pathlib import Path
from typing import Any

from flows.records.record import FILE, FOLDER, FORMAT, record_folder
from tasks.reporting.report import write_report
from tasks.storage.home import HomeError


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


def write_report_again(run: str, home: Path) -> list[Path]:
    """Write the report of a reproduction from its record; returns its files.

    Raises:
        HomeError: if there is no such record, or it cannot be read.
    """
    record = find_record(run, home)
    folder = record_folder(str(record["name"]), home)
    folder.mkdir(parents=True, exist_ok=True)
    return list(write_report(record, folder))


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
