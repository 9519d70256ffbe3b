"""Stored records of finished reproductions."""

from pathlib import Path

from tasks.codec import CodecError
from tasks.reporting.record import Record, read_record
from tasks.storage.home import HomeError

FOLDER = "reproductions"
FILE = "record.json"
MODEL = "model"
"""Name of the champion's model folder, in the folder of the record."""


def record_folder(name: str, home: Path) -> Path:
    """Folder of a reproduction's record and report."""
    return home / FOLDER / name


def find_record(run: str, home: Path) -> Record:
    """Find the record of a reproduction.

    Args:
        run: its name, or the id of its MLflow run.
        home: the home folder.

    Raises:
        HomeError: if there is none, or it cannot be read.
    """
    known = []
    for path in sorted((home / FOLDER).glob(f"*/{FILE}")):
        record = stored_record(path)
        known.append(record.name)
        if run in {record.name, record.run_id}:
            return record
    raise HomeError(
        f"expected a finished reproduction ({', '.join(known) or 'there is none yet'}) or the id "
        f"of its MLflow run, found {run!r}; start one with gradmix reproduce."
    )


def is_readable(path: Path) -> bool:
    """Whether a file holds a record of this version or an earlier one."""
    try:
        read_record(path)
    except (CodecError, OSError):
        return False
    return True


def latest_record(home: Path) -> Record:
    """The record of the latest reproduction to finish.

    Raises:
        HomeError: if there is none, or one cannot be read.
    """
    found = [stored_record(path) for path in (home / FOLDER).glob(f"*/{FILE}")]
    if not found:
        raise HomeError(
            f"expected a finished reproduction in {home}, found none; start one with gradmix "
            "reproduce."
        )
    return max(found, key=lambda record: record.finished)


def stored_record(path: Path) -> Record:
    """Read a record of this version or an earlier one.

    Raises:
        HomeError: if it cannot be read, or was written by a later version.
    """
    try:
        return read_record(path)
    except CodecError as error:
        raise HomeError(str(error)) from error
    except OSError as error:
        raise HomeError(
            f"expected to read {path}, found: {error.strerror}; check its permissions."
        ) from error
