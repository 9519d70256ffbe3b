"""Live progress: a table on a terminal, plain lines elsewhere."""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tasks.runtime import Event

TRAIN = "train"
QUICK = ("select", "split", "enlarge")
"""Stages that take no time worth a line."""


class Progress:
    """Listens to events and shows them.

    Args:
        console: where to; a terminal gets a live table, anything else plain lines.
        trainings: how many trainings there are in all.
        to_run: labels of those that are expected to run.
        slots: how many run at a time.
    """

    def __init__(
        self, console: Console, trainings: int, to_run: Collection[str], slots: int
    ) -> None:
        self._console, self._slots = console, slots
        self._trainings, self._to_run = trainings, to_run
        self._running: dict[str, Event] = {}
        self._ended: dict[str, Event] = {}
        self._seconds: list[float] = []
        self._started = time.monotonic()
        self._lock = threading.Lock()

    @contextmanager
    def shown(self) -> Iterator[Callable[[Event], None]]:
        """Show events while the context lasts; yields the listener."""
        if not self._console.is_terminal:
            yield self.listen
            return
        with Live(get_renderable=self._table, console=self._console, transient=True):
            yield self.listen

    def listen(self, event: Event) -> None:
        """Take an event, from any thread."""
        with self._lock:
            line = self._take(event)
        if line and (event.state == "failed" or not self._console.is_terminal):
            self._console.print(line, soft_wrap=True)

    def _take(self, event: Event) -> str | None:
        """Note the event; returns the plain line that it is worth."""
        if event.state == "running":
            return self._take_running(event)
        if event.label in self._ended:
            return None
        self._ended[event.label] = event
        running = self._running.pop(event.label, None)
        if event.state == "finished" and event.stage == TRAIN and running is not None:
            # Counted from the slot on: before it, a training only waits.
            self._seconds.append(running.seconds)
        if event.state == "failed":
            return f"{self._clock()}  FAILED    {event.label}: {event.message}"
        if event.stage in QUICK:
            return None
        figure = f"  {_percent(event)}" if event.stage == TRAIN else ""
        return f"{self._clock()}  {event.state:<8}  {event.label}{figure}{self._left_words(event)}"

    def _take_running(self, event: Event) -> str | None:
        if not event.slot:
            return None
        first = event.label not in self._running
        self._running[event.label] = event
        return f"{self._clock()}  start     {event.label} on {event.slot}" if first else None

    def _left_words(self, event: Event) -> str:
        if event.stage != TRAIN or event.state != "finished":
            return ""
        left = self._time_left()
        return f"  ({self._count()} trainings{f', about {duration(left)} left' if left else ''})"

    def _count(self) -> str:
        events = self._ended.values()
        ended = sum(event.stage == TRAIN and event.state != "failed" for event in events)
        return f"{ended}/{self._trainings}"

    def _time_left(self) -> float | None:
        """Seconds, from the mean of the trainings that finished in this run."""
        if not self._seconds:
            return None
        left = sum(label not in self._ended for label in self._to_run)
        return left * sum(self._seconds) / len(self._seconds) / self._slots

    def _clock(self) -> str:
        return f"{duration(time.monotonic() - self._started):>11}"

    def _table(self) -> Group:
        table = Table(box=None, pad_edge=False, expand=False)
        for column in ("cell", "slot", "step", "hyper-validation", "time left"):
            table.add_column(column, justify="left" if column in {"cell", "slot"} else "right")
        with self._lock:
            for event in sorted(self._running.values(), key=lambda event: event.slot):
                table.add_row(
                    event.label,
                    event.slot,
                    f"{event.step}/{event.steps}" if event.steps else "",
                    _percent(event),
                    _cell_left(event),
                )
            left = self._time_left()
            words = f", about {duration(left)} left" if left is not None else ""
            head = f"{self._clock().strip()}  {self._count()} trainings done{words}"
        return Group(Text(head, style="bold"), table)


def _percent(event: Event) -> str:
    accuracy = event.accuracy
    if accuracy is None and event.artifact is not None:
        accuracy = event.artifact.summary.get("accuracy")
    return f"{accuracy:.1%}" if accuracy is not None else ""


def _cell_left(event: Event) -> str:
    if not event.step:
        return ""
    return duration(event.seconds * (event.steps - event.step) / event.step)


def duration(seconds: float) -> str:
    """A duration as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
