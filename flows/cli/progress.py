"""Live progress: a table on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from data.counting import counted
from flows.monitoring.counts import TRAIN, Counts, News, running_row
from tasks.events import Event

QUICK = ("select", "split", "enlarge")
"""Stages too quick to report."""


class Progress:
    """Shows events as they occur.

    Args:
        console: a terminal gets a live table, anything else plain lines.
        counts: updated with every event.
    """

    def __init__(self, console: Console, counts: Counts) -> None:
        self._console, self._counts = console, counts

    @contextmanager
    def shown(self) -> Iterator[Callable[[Event], None]]:
        """Show events within the context; yields the listener."""
        if not self._console.is_terminal:
            yield self.listen
            return
        with Live(get_renderable=self._table, console=self._console, transient=True):
            yield self.listen

    def listen(self, event: Event) -> None:
        """Show an event; may be called from any thread."""
        line = self._line(event, self._counts.take(event))
        if line and (event.state == "failed" or not self._console.is_terminal):
            self._console.print(line, soft_wrap=True)

    def _line(self, event: Event, news: News) -> str | None:
        """Line for an event; None if it is not worth reporting."""
        if event.stage in QUICK and event.state != "failed":
            return None
        if news == "start":
            return f"{self._clock()}  start     {event.label} on {event.slot}"
        if news != "end":
            return None
        if event.state == "failed":
            return f"{self._clock()}  FAILED    {event.label}: {event.message}"
        figure = f"  {_accuracy(event)}" if event.stage == TRAIN else ""
        return f"{self._clock()}  {event.state:<8}  {event.label}{figure}{self._left_words(event)}"

    def _left_words(self, event: Event) -> str:
        if event.stage != TRAIN or event.state != "finished":
            return ""
        left = self._counts.time_left
        return f"  ({self._count()}{f', about {duration(left)} left' if left else ''})"

    def _count(self) -> str:
        return f"{self._counts.done}/{counted(self._counts.work.trainings, 'training')}"

    def _clock(self) -> str:
        return f"{duration(self._counts.elapsed):>11}"

    def _table(self) -> Group:
        left = self._counts.time_left
        words = f", about {duration(left)} left" if left is not None else ""
        head = f"{self._clock().strip()}  {self._count()} done{words}"
        rows = [running_row(event) for event in self._counts.running]
        return Group(Text(head, style="bold"), running_table(rows))


def running_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Table of rows from `flows.monitoring.counts.running_row`."""
    table = Table(box=None, pad_edge=False, expand=False)
    for column in ("cell", "slot", "step", "hyper-validation", "time left"):
        table.add_column(column, justify="left" if column in {"cell", "slot"} else "right")
    for row in rows:
        table.add_row(
            row["cell"],
            row["slot"],
            f"{row['step']}/{row['steps']}" if row["steps"] else "",
            _percent(row["accuracy"]),
            duration(row["left"]) if row["left"] is not None else "",
        )
    return table


def _accuracy(event: Event) -> str:
    if event.accuracy is None and event.artifact is not None:
        return _percent(event.artifact.summary.get("accuracy"))
    return _percent(event.accuracy)


def _percent(accuracy: float | None) -> str:
    return f"{accuracy:.1%}" if accuracy is not None else ""


def duration(seconds: float) -> str:
    """Format a duration."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
