"""Counts of a reproduction: trainings done, running and left, and their times."""

import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tasks.events import Event
from tasks.subjects import Subject

if TYPE_CHECKING:
    # Planning imports the experiment and its networks; showing what is running needs neither.
    from flows.pipeline.plan import PlanEntry

TRAIN = "train"
RECENT_ROUNDS = 2
"""Number of recent trainings per slot that give the current speed."""

News = Literal["start", "step", "end", ""]


@dataclass(frozen=True)
class Work:
    """The planned trainings.

    Attributes:
        trainings: total number.
        to_run: subjects of those expected to run.
        slots: number that run at a time, if known.
    """

    trainings: int
    to_run: Collection[Subject]
    slots: int

    @classmethod
    def of(cls, entries: Iterable["PlanEntry"], slots: int) -> "Work":
        """Create from the trainings of a plan."""
        trainings = [entry for entry in entries if entry.stage == TRAIN]
        return cls(
            len(trainings), {entry.subject for entry in trainings if entry.state != "cached"}, slots
        )


@dataclass(frozen=True, kw_only=True)
class Observer:
    """Follows a reproduction.

    Attributes:
        work: the planned trainings.
        listen: called with every event.
    """

    work: Work
    listen: Callable[[Event], None]


class Counts:
    """Counts events, from any thread.

    Args:
        work: the planned trainings.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self._running: dict[Subject, Event] = {}
        self._ended: dict[Subject, Event] = {}
        self._seconds: list[float] = []
        self._most = 1
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def take(self, event: Event) -> News:
        """Count an event; returns what is new about it."""
        with self._lock:
            return self._note(event)

    def _note(self, event: Event) -> News:
        if event.subject in self._ended and event.state != "running":
            return ""
        if event.state == "running":
            if not event.slot:
                return ""
            first = event.subject not in self._running
            self._running[event.subject] = event
            self._most = max(self._most, len(self._running))
            return "start" if first else "step"
        self._ended[event.subject] = event
        running = self._running.pop(event.subject, None)
        if event.state == "finished" and event.stage == TRAIN and running is not None:
            # Counted from the time it got a slot; before that it was waiting.
            self._seconds.append(running.seconds)
        return "end"

    @property
    def running(self) -> list[Event]:
        """Last events of everything running, ordered by slot."""
        with self._lock:
            return sorted(self._running.values(), key=lambda event: event.slot)

    def ended(self, state: str) -> list[Event]:
        """Last events of the stages that ended in a state, in order."""
        with self._lock:
            return [event for event in self._ended.values() if event.state == state]

    def trainings(self, state: str) -> list[str]:
        """Labels of the trainings that ended in a state, in order."""
        return [event.label for event in self.ended(state) if event.stage == TRAIN]

    @property
    def done(self) -> int:
        """Number of trainings finished or cached."""
        return len(self.trainings("finished")) + len(self.trainings("cached"))

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def time_left(self) -> float | None:
        """Seconds left at the speed of the last finished and the running trainings."""
        with self._lock:
            slots = self.work.slots or self._most
            running = [event for event in self._running.values() if event.stage == TRAIN]
            whole = {
                event.subject: event.seconds * event.steps / event.step
                for event in running
                if event.step
            }
            known = [*self._seconds[-RECENT_ROUNDS * slots :], *whole.values()]
            if not known:
                return None
            mean = sum(known) / len(known)
            waiting = {*self.work.to_run} - self._ended.keys() - self._running.keys()
            left = len(waiting) * mean + sum(
                max(0.0, whole.get(event.subject, mean) - event.seconds) for event in running
            )
            return left / slots

    def snapshot(self) -> dict[str, Any]:
        """All counts in plain JSON types; times in seconds."""
        return {
            "trainings": self.work.trainings,
            "finished": len(self.trainings("finished")),
            "cached": len(self.trainings("cached")),
            "failed": [event.label for event in self.ended("failed")],
            "elapsed": round(self.elapsed, 1),
            "left": self.time_left,
            "running": [running_row(event) for event in self.running],
        }


def running_row(event: Event) -> dict[str, Any]:
    """A running stage in plain JSON types."""
    left = event.seconds * (event.steps - event.step) / event.step if event.step else None
    return {
        "cell": event.label,
        "slot": event.slot,
        "step": event.step,
        "steps": event.steps,
        "accuracy": event.accuracy,
        "left": left,
    }
