"""Attempts at a job: small files in its work folder, by which who asks and who works speak.

The newest attempt counts. Whoever works on an older one stops: a process that was taken for dead,
and is not, cannot write over its successor.
"""

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tasks.errors import StageError
from tasks.execution.parent_death import python_module
from tasks.execution.processes import ChildFailedError, Process
from tasks.execution.slots import Slot, run_in_slot
from tasks.jobs.files import OUTCOME
from tasks.storage.atomic import write_atomically
from tasks.storage.locks import locked

LOG = "log.txt"
NEWEST = "attempt.json"
PULSE = "pulse.json"
ENDED = "ended.json"
LOCK = ".lock"
HANDOVER_S = 60.0
"""Seconds that an attempt waits for the one before it to notice and stop."""
BEAT_S = 2.0
"""Seconds between two signs of life."""


class RetiredError(StageError):
    """A newer attempt, or none, is wanted."""


class BusyError(StageError):
    """An older attempt does not stop."""


@dataclass(frozen=True)
class Pulse:
    """A sign of life.

    Attributes:
        key: of the attempt.
        beat: grows; clocks of other hosts, which may jump, play no part.
        host: where it works.
        process: there that watches over the job.
        slot: of the job, for people.
    """

    key: str
    beat: int
    host: str
    process: Process
    slot: str

    @property
    def gone(self) -> bool:
        """Whether the process was on this host and has ended."""
        return self.host == socket.gethostname() and not self.process.alive

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Pulse":
        """What was written."""
        return cls(**{**content, "process": Process(**content["process"])})


@dataclass(frozen=True)
class Ended:
    """How an attempt ended: its key, the exit code of `tasks.jobs`, one line for an error."""

    key: str
    exit_code: int = 0
    message: str = ""


@dataclass(frozen=True)
class Attempt:
    """One attempt, seen by who asks for it.

    Attributes:
        folder: of the job.
        key: unlike that of any other attempt.
    """

    folder: Path
    key: str

    @classmethod
    def begin(cls, folder: Path) -> "Attempt":
        """Make a new attempt the one that counts."""
        for name in (PULSE, ENDED, OUTCOME):
            (folder / name).unlink(missing_ok=True)
        attempt = cls(folder, uuid.uuid4().hex)
        write_atomically(folder / NEWEST, json.dumps({"key": attempt.key}) + "\n")
        return attempt

    def retire(self) -> None:
        """Have whoever works on it stop."""
        (self.folder / NEWEST).unlink(missing_ok=True)

    def check(self) -> None:
        """Go on only while it counts.

        Raises:
            RetiredError: if a newer attempt, or none, is wanted.
        """
        found = _read(self.folder / NEWEST)
        if found is None or found.get("key") != self.key:
            raise RetiredError("another attempt at this job, or none, is wanted.")

    def pulse(self) -> Pulse | None:
        """Its last sign of life."""
        found = _read(self.folder / PULSE)
        return Pulse.from_json(found) if found and found["key"] == self.key else None

    def ended(self) -> Ended | None:
        """How it ended; None if it has not."""
        found = _read(self.folder / ENDED)
        return Ended(**found) if found and found["key"] == self.key else None


@contextmanager
def alone(attempt: Attempt) -> Iterator[None]:
    """Have a job's folder to oneself, once the attempt before has stopped.

    Raises:
        RetiredError: if a newer attempt is wanted.
        BusyError: if the one before goes on.
    """
    deadline = time.monotonic() + HANDOVER_S

    def waiting() -> None:
        if time.monotonic() > deadline:
            raise BusyError(
                f"expected the attempt before to stop within {HANDOVER_S:g} s, found it at work in "
                f"{attempt.folder}; stop its process, and start again."
            )
        attempt.check()

    with locked(attempt.folder / LOCK, waiting):
        attempt.check()
        yield


def work_on(attempt: Attempt, home: Path, name: str, slot: Slot, told: Callable[[], None]) -> Ended:
    """Run the job in a process of its own, with a sign of life while it does.

    Args:
        attempt: at the job.
        home: the home folder.
        name: of the job.
        slot: where.
        told: called after every sign of life, and once after the end.

    Raises:
        RetiredError: if a newer attempt is wanted.
    """
    heart = _Heart(attempt, slot.name)

    def poll() -> None:
        attempt.check()
        heart.beat()
        told()

    command, log = job_command(name, attempt.folder, home), attempt.folder / LOG
    try:
        run_in_slot(command, slot, log=log, cwd=home, poll=poll)
    except ChildFailedError as error:
        return Ended(attempt.key, error.exit_code, str(error))
    return Ended(attempt.key)


def say_ended(attempt: Attempt, ended: Ended) -> None:
    """Leave word of the end; the last thing that an attempt does."""
    write_atomically(attempt.folder / ENDED, json.dumps(asdict(ended)) + "\n")


def job_command(name: str, folder: Path, home: Path) -> list[str]:
    """The command of a job's process."""
    return [*python_module("tasks.jobs"), name, str(folder), str(home)]


class _Heart:
    """Writes signs of life."""

    def __init__(self, attempt: Attempt, slot: str) -> None:
        self._path, self._next = attempt.folder / PULSE, 0.0
        process = Process.find(os.getpid())
        self._pulse = Pulse(attempt.key, 0, socket.gethostname(), process, slot)

    def beat(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + BEAT_S
        self._pulse = replace(self._pulse, beat=self._pulse.beat + 1)
        write_atomically(self._path, json.dumps(asdict(self._pulse)) + "\n")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # Not there, or on its way.
        return None
    return found
