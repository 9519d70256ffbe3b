"""What the stages of a reproduction share: home folder, runners, tracking, event listener."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from tasks.events import Event
from tasks.execution.runner import JobRunner
from tasks.execution.slot_runner import SlotRunner
from tasks.storage.artifacts import SHORT, Request, Store
from tasks.storage.locks import locked
from tasks.tracking.tracker import Tracker

LOCKS = "locks"
"""Folder of lock files in the home folder."""


@dataclass
class Runtime:
    """Everything that is not part of a stage's identity.

    Attributes:
        store: artifacts and unfinished work.
        train: runs jobs that want a GPU, in slots of this machine or on the workers of a fleet.
        cores: runs jobs that need no GPU, such as decoding photos, on the cores of this machine.
        tracker: client of MLflow.
        parent_run_id: MLflow run of the reproduction.
        listen: called with every event, from any thread.
        tags: tags of every MLflow run.
        scope: experiment and scale, stored with every artifact; plans compare within a scope.
    """

    store: Store
    train: JobRunner
    cores: SlotRunner
    tracker: Tracker
    parent_run_id: str
    listen: Callable[[Event], None]
    tags: Mapping[str, str] = field(default_factory=dict)
    scope: str = ""
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def home(self) -> Path:
        """The home folder."""
        return self.store.home

    def stop(self) -> None:
        """Stop all running jobs and start no more."""
        for runner in (self.train, self.cores):
            runner.stop()

    def raise_if_stopped(self) -> None:
        """For waiting threads, as an interrupt reaches only the main thread.

        Raises:
            SlotsStoppedError: if `stop` was called.
        """
        self.cores.slots.raise_if_stopped()

    @contextmanager
    def alone(self, identity: str) -> Iterator[None]:
        """Lock an identity against other threads and processes that use this home folder."""
        with self._guard:
            lock = self._locks.setdefault(identity, threading.Lock())
        with lock, locked(identity_lock(self.home, identity), self.raise_if_stopped):
            yield

    def record_execution(self, request: Request) -> None:
        """Append an execution and its time to the home folder's list."""
        line = {
            "time": time.time(),
            "stage": request.stage,
            "identity": request.identity,
            "label": request.label,
        }
        with self._guard, (self.home / "executions.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def identity_lock(home: Path, identity: str) -> Path:
    """Lock to hold while the artifact of an identity is made or removed."""
    return home / LOCKS / identity[:SHORT]


_current: ContextVar[Runtime] = ContextVar("gradmix_runtime")


@contextmanager
def use(runtime: Runtime) -> Iterator[None]:
    """Make a runtime current in this context, which Prefect passes on to its threads."""
    token = _current.set(runtime)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Runtime:
    """The runtime of the current reproduction.

    Raises:
        LookupError: if there is none.
    """
    return _current.get()
