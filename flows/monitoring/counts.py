"""Counts of a reproduction: trainings done, running and left, and the time they take."""

import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tasks.events import Event
from tasks.subjects import Subject

if TYPE_CHECKING:
    # A plan needs torch; to see what is running needs none.
    from flows.pipeline.plan import PlanEntry

TRAIN = "train"
RECENT_ROUNDS = 2
"""Of trainings in all slots: so many tell the present speed."""

News = Literal["start", "step", "end", ""]


@dataclass(frozen=True)
class Work:
    """The planned trainings.

    Attributes:
        trainings: how many there are in all.
        to_run: subjects of those that are expected to run.
        slots: how many run at a time, if that is known.
    """

    trainings: int
    to_run: Collection[Subject]
    slots: int

    @classmethod
    def of(cls, entries: Iterable["PlanEntry"], slots: int) -> "Work":
        """The trainings of a plan."""
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
    """Takes events, from any thread, and counts.

    Args:
        work: what lies ahead.
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
        """Note an event; returns what is new about it."""
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
            # Counted from the time it got a slot; before that it only waited.
            self._seconds.append(running.seconds)
        return "end"

    @property
    def running(self) -> list[Event]:
        """The last event of everything that runs, by slot."""
        with self._lock:
            return sorted(self._running.values(), key=lambda event: event.slot)

    def ended(self, state: str) -> list[Event]:
        """The last event of every stage that ended in that state, in order."""
        with self._lock:
            return [event for event in self._ended.values() if event.state == state]

    def trainings(self, state: str) -> list[str]:
        """Labels of the trainings that ended in that state, in order."""
        return [event.label for event in self.ended(state) if event.stage == TRAIN]

    @property
    def done(self) -> int:
        """Trainings that are there."""
        return len(self.trainings("finished")) + len(self.trainings("cached"))

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def time_left(self) -> float | None:
        """Seconds at the present speed: of the last trainings to finish and of those that run."""
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
        """All of it in plain JSON types; seconds."""
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
