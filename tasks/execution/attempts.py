"""Attempts at a job: submitter and worker communicate by small files in its work folder.

The newest attempt is current. A process working on an older one stops as soon as it notices, so one
wrongly presumed dead cannot overwrite its successor's files.
"""

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from data.atomic import write_atomically
from tasks.codec import Json, decode, encode
from tasks.errors import StageError
from tasks.execution.launch import Launch, fresh
from tasks.execution.parent_death import python_module
from tasks.execution.processes import ChildFailedError, Process
from tasks.execution.slots import Slot, run_in_slot
from tasks.jobs.files import OUTCOME
from tasks.storage.locks import locked

LOG = "log.txt"
NEWEST = "attempt.json"
HEARTBEAT = "heartbeat.json"
ENDED = "ended.json"
LOCK = ".lock"
SUPERSEDED = "the attempt was superseded or withdrawn."
HANDOVER_S = 60.0
"""How long an attempt waits for the previous one to stop."""
BEAT_S = 2.0
"""Seconds between two heartbeats."""

T = TypeVar("T")


class RetiredError(StageError):
    """This attempt was superseded or withdrawn."""


class BusyError(StageError):
    """The previous attempt did not stop."""


@dataclass(frozen=True)
class Heartbeat:
    """A sign that an attempt is still running.

    Attributes:
        key: key of the attempt.
        beat: a counter, so that other hosts' clocks do not matter.
        host: host the attempt runs on.
        process: process on that host that started the job and dies no later than its slot does.
        slot: display name of the slot.
    """

    key: str
    beat: int
    host: str
    process: Process
    slot: str

    @property
    def gone(self) -> bool:
        """Whether the process ran on this host and has ended."""
        return self.host == socket.gethostname() and not self.process.alive


@dataclass(frozen=True)
class Ended:
    """How an attempt ended: its key, the exit code of `tasks.jobs`, a one-line error."""

    key: str
    exit_code: int = 0
    message: str = ""


@dataclass(frozen=True)
class Attempt:
    """One attempt at a job.

    Attributes:
        folder: folder of the job.
        key: unique to this attempt.
    """

    folder: Path
    key: str

    @classmethod
    def begin(cls, folder: Path) -> "Attempt":
        """Start a new attempt, which supersedes all earlier ones."""
        for name in (HEARTBEAT, ENDED, OUTCOME):
            (folder / name).unlink(missing_ok=True)
        attempt = cls(folder, uuid.uuid4().hex)
        write_atomically(folder / NEWEST, json.dumps({"key": attempt.key}) + "\n")
        return attempt

    def retire(self) -> None:
        """Withdraw the attempt; its process stops when it next checks."""
        (self.folder / NEWEST).unlink(missing_ok=True)

    def check(self) -> None:
        """Check that the attempt is still current.

        Raises:
            RetiredError: if it was superseded or withdrawn.
        """
        found = read_json(self.folder / NEWEST)
        if found is None or found.get("key") != self.key:
            raise RetiredError(SUPERSEDED)

    def heartbeat(self) -> Heartbeat | None:
        """Last heartbeat, or None."""
        return self._own(Heartbeat, HEARTBEAT)

    def ended(self) -> Ended | None:
        """How the attempt ended, or None."""
        return self._own(Ended, ENDED)

    def _own(self, kind: type[T], name: str) -> T | None:
        """Read a file written by this attempt; None if missing or written by another attempt."""
        found = read_json(self.folder / name)
        return decode(kind, found) if found and found.get("key") == self.key else None


@contextmanager
def alone(attempt: Attempt, check: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Lock a job's folder once the previous attempt has stopped.

    Args:
        attempt: attempt at the job.
        check: called while it waits; raises to give up.

    Raises:
        RetiredError: if the attempt was superseded meanwhile.
        BusyError: if the previous attempt does not stop in time.
    """
    deadline = time.monotonic() + HANDOVER_S

    def waiting() -> None:
        if time.monotonic() > deadline:
            raise BusyError(
                f"expected the previous attempt to stop within {HANDOVER_S:g} s, found it running "
                f"in {attempt.folder}; stop its process, and start again."
            )
        attempt.check()
        check()

    with locked(attempt.folder / LOCK, waiting):
        attempt.check()
        yield


def work_on(
    attempt: Attempt,
    home: Path,
    name: str,
    slot: Slot,
    on_poll: Callable[[], None],
    launch: Launch = fresh,
) -> Ended:
    """Run the job in its own process, sending heartbeats meanwhile.

    Args:
        attempt: attempt at the job.
        home: the home folder.
        name: name of the job.
        slot: slot to run in.
        on_poll: called after every heartbeat and once at the end.
        launch: starts the process.

    Raises:
        RetiredError: if the attempt was superseded.
    """
    heartbeats = _HeartbeatWriter(attempt, slot.name)

    def poll() -> None:
        attempt.check()
        heartbeats.beat()
        on_poll()

    command, log = job_command(name, attempt.folder, home), attempt.folder / LOG
    try:
        run_in_slot(command, slot, log=log, cwd=home, poll=poll, launch=launch)
    except ChildFailedError as error:
        return Ended(attempt.key, error.exit_code, str(error))
    return Ended(attempt.key)


def write_end(attempt: Attempt, ended: Ended) -> None:
    """Write how the attempt ended; its last action."""
    write_atomically(attempt.folder / ENDED, json.dumps(encode(ended)) + "\n")


def job_command(name: str, folder: Path, home: Path) -> list[str]:
    """Command of a job's process."""
    return [*python_module("tasks.jobs"), name, str(folder), str(home)]


class _HeartbeatWriter:
    """Writes the heartbeats of an attempt."""

    def __init__(self, attempt: Attempt, slot: str) -> None:
        self._path, self._next = attempt.folder / HEARTBEAT, 0.0
        process = Process.find(os.getpid())
        self._last = Heartbeat(attempt.key, 0, socket.gethostname(), process, slot)

    def beat(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + BEAT_S
        self._last = replace(self._last, beat=self._last.beat + 1)
        write_atomically(self._path, json.dumps(encode(self._last)) + "\n")


def read_json(path: Path) -> Json:
    """The content of a small file; None if it does not exist or is still being copied."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
