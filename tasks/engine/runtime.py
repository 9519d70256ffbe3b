"""What the stages of one reproduction share: home, slots, tracking, and who is listening."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tasks.execution.slots import SlotPool
from tasks.storage.artifacts import SHORT, Artifact, Request, Store
from tasks.storage.locks import locked
from tasks.tracking.tracker import Tracker

if TYPE_CHECKING:
    from tasks.execution.fleet_runner import Workers

LOCKS = "locks"
"""Folder of the lock files, in the home folder."""

State = Literal["waiting", "running", "cached", "finished", "failed"]


@dataclass(frozen=True)
class Event:
    """News of one stage: for the terminal and for the list of cells."""

    label: str
    stage: str
    state: State
    step: int = 0
    steps: int = 0
    accuracy: float | None = None
    artifact: Artifact | None = None
    message: str = ""
    slot: str = ""
    seconds: float = 0.0


@dataclass
class Runtime:
    """Everything that is not part of a stage's identity.

    Attributes:
        store: artifacts and unfinished work.
        slots: where trainings run, unless there are workers.
        cores: where photos and clips are decoded; the slots themselves if these are cores.
        workers: of a fleet, on which trainings run; None: on this machine.
        tracker: the way to MLflow.
        parent_run_id: MLflow run of the reproduction.
        listen: told of every event, from any thread.
        tags: put on every MLflow run.
        scope: experiment and scale, kept with every artifact: plans compare within it.
    """

    store: Store
    slots: SlotPool
    tracker: Tracker
    parent_run_id: str
    listen: Callable[[Event], None]
    tags: Mapping[str, str] = field(default_factory=dict)
    scope: str = ""
    cores: SlotPool | None = None
    workers: "Workers | None" = None
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def home(self) -> Path:
        """The home folder."""
        return self.store.home

    @property
    def decoders(self) -> SlotPool:
        """Slots for work that needs no GPU."""
        return self.cores or self.slots

    def stop(self) -> None:
        """End what runs in any slot, and let nobody take one any more."""
        for slots in (self.slots, self.decoders):
            slots.stop()

    @contextmanager
    def alone(self, identity: str) -> Iterator[None]:
        """Only one thread, of all processes over this home, works on an identity at a time."""
        with self._guard:
            lock = self._locks.setdefault(identity, threading.Lock())
        with lock, locked(identity_lock(self.home, identity), self.slots.raise_if_stopped):
            yield

    def record_execution(self, request: Request) -> None:
        """Append to the home folder's list of executions: what was really run, and when."""
        line = {
            "time": time.time(),
            "stage": request.stage,
            "identity": request.identity,
            "label": request.label,
        }
        with self._guard, (self.home / "executions.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def identity_lock(home: Path, identity: str) -> Path:
    """The lock of whoever makes, or removes, the artifact of an identity."""
    return home / LOCKS / identity[:SHORT]


_current: ContextVar[Runtime] = ContextVar("gradmix_runtime")


@contextmanager
def use(runtime: Runtime) -> Iterator[None]:
    """Make a runtime the current one in this context; Prefect carries it into its threads."""
    token = _current.set(runtime)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Runtime:
    """The runtime of the reproduction that is under way.

    Raises:
        LookupError: if there is none.
    """
    return _current.get()
