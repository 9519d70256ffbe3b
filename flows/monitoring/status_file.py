"""Status files of a home folder, one per running reproduction."""

import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data.atomic import write_atomically
from flows.monitoring.counts import Counts, Work
from tasks.events import Event
from tasks.execution.prefect_runs import PrefectDispatch
from tasks.execution.processes import Process

FOLDER = "status"
INTERVAL_S = 1.0


class StatusFile:
    """Keeps the status of a reproduction on disk.

    Args:
        home: the home folder.
        work: the planned trainings.
        about: further information, in plain JSON types.
    """

    def __init__(self, home: Path, work: Work, about: Mapping[str, Any]) -> None:
        self._counts = Counts(work)
        self._about = {**about, **_this_process()}
        self._path = home / FOLDER / f"{socket.gethostname()}-{os.getpid()}-{id(self):x}.json"
        self._lock, self._next, self._over = threading.Lock(), 0.0, False

    @contextmanager
    def kept(self) -> Iterator["StatusFile"]:
        """Keep the file within the context; a kill leaves it for others to see."""
        self._path.parent.mkdir(exist_ok=True)
        self._write()
        try:
            yield self
        finally:
            with self._lock, contextlib.suppress(OSError):
                self._over = True
                self._path.unlink()

    def add(self, about: Mapping[str, Any]) -> None:
        """Add information that became known later, in plain JSON types."""
        self._about |= about
        self._write()

    def listen(self, event: Event) -> None:
        """Record an event, from any thread."""
        news = self._counts.take(event)
        if news in {"start", "end"} or (news and time.monotonic() > self._next):
            self._write()

    def _write(self) -> None:
        with self._lock:
            if self._over:
                # The event came from a thread that has not noticed the end.
                return
            self._next = time.monotonic() + INTERVAL_S
            content = {**self._about, **self._counts.snapshot()}
            write_atomically(self._path, json.dumps(content) + "\n")


@dataclass(frozen=True)
class Status:
    """The contents of a status file.

    Attributes:
        path: path of the file.
        content: parsed content.
    """

    path: Path
    content: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the reproduction."""
        return str(self.content["name"])

    @property
    def is_here(self) -> bool:
        """Whether its process is, or was, on this host."""
        return bool(self.content["host"] == socket.gethostname())

    @property
    def process(self) -> Process:
        """Its process, on its host."""
        return Process(**self.content["process"])

    @property
    def is_dead(self) -> bool:
        """Whether its process was on this host and is gone; False for other hosts."""
        return self.is_here and not self.process.alive

    def stop(self, limit_s: float) -> bool:
        """Ask its process on this host to stop; returns whether it did within `limit_s` seconds."""
        if self.is_here and self.process.alive:
            with contextlib.suppress(ProcessLookupError):
                # Not SIGINT, which shells make background commands ignore.
                os.kill(self.process.pid, signal.SIGTERM)
        return self.has_ended(limit_s)

    def has_ended(self, limit_s: float) -> bool:
        """Wait for the end of its process or, on other hosts, the removal of its file."""
        deadline = time.monotonic() + limit_s
        while self.path.exists() and not self.is_dead:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True


def read_statuses(home: Path) -> list[Status]:
    """All status files of a home folder, oldest first."""
    found = []
    for path in (home / FOLDER).glob("*.json"):
        with contextlib.suppress(OSError, ValueError):
            found.append(Status(path, json.loads(path.read_text(encoding="utf-8"))))
    return sorted(found, key=lambda status: (str(status.content["started"]), status.path.name))


def close_dead(home: Path, dispatch: PrefectDispatch | None = None, own: str | None = None) -> None:
    """End runs on Prefect's server left by reproductions whose process on this host is gone.

    Args:
        home: the home folder.
        dispatch: client of the server.
        own: flow run of the caller, which is kept; a restarted flow run may be listed as dead.
    """
    dispatch = dispatch or PrefectDispatch()
    for status in read_statuses(home):
        if not status.is_dead:
            continue
        run = status.content["flow_run_id"]
        if run is not None:
            for job in dispatch.unfinished(run):
                dispatch.close(job, "CANCELLED", "Who asked for it is gone.")
            if run != own:
                dispatch.close(run, "CRASHED", "Its process is gone.")
        status.path.unlink(missing_ok=True)


def _this_process() -> dict[str, Any]:
    return {"host": socket.gethostname(), "process": asdict(Process.find(os.getpid()))}
