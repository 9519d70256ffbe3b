"""The files of a job: its inputs, with paths valid on every host, and its outcome."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from data.atomic import write_atomically
from tasks.codec import HOME, Json, decode, encode
from tasks.outcome import Outcome

JOB = "job.json"
OUTCOME = "outcome.json"
PROGRESS = "progress.jsonl"
"""Progress of a training: one line per hyper-validation."""

J = TypeVar("J")


def write_job(folder: Path, job: object, home: Path) -> None:
    """Write a job's inputs; paths under the home folder are stored relative to it."""
    write_atomically(folder / JOB, json.dumps(encode(job, home=home), indent=1) + "\n")


def read_job(kind: type[J], folder: Path, home: Path) -> J:
    """Read a job's inputs, with absolute paths under this host's home folder.

    Raises:
        CodecError: if they belong to another job or version.
    """
    return decode(kind, _read(folder / JOB), home=home, name=JOB)


def inputs_of(folder: Path) -> list[str]:
    """Folders of artifacts that a job reads, relative to the home folder."""
    inside = f"{HOME}/"
    texts = _texts(_read(folder / JOB))
    return sorted({text.removeprefix(inside) for text in texts if text.startswith(inside)})


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Write a job's outcome."""
    write_atomically(folder / OUTCOME, json.dumps(encode(outcome)) + "\n")


def read_outcome(folder: Path) -> Outcome:
    """Read a job's outcome.

    Raises:
        CodecError: if another version wrote it.
    """
    return decode(Outcome, _read(folder / OUTCOME), name=OUTCOME)


def _read(path: Path) -> Json:
    return json.loads(path.read_text(encoding="utf-8"))


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
