"""Rewrites the report of a finished reproduction from its record."""

from pathlib import Path

from flows.records.stored import find_record, record_folder
from tasks.reporting.report import write_report


def write_report_again(run: str, home: Path) -> list[Path]:
    """Rewrite the report of a reproduction from its record; returns its files.

    Raises:
        HomeError: if there is no such record, or it cannot be read.
    """
    record = find_record(run, home)
    folder = record_folder(record.name, home)
    folder.mkdir(parents=True, exist_ok=True)
    return list(write_report(record, folder))
