"""Follows a job from outside its process: forwards its progress, and stops it on request."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tasks.events import Event
from tasks.jobs.files import PROGRESS
from tasks.subjects import Subject
from tasks.tracking.tracker import MetricRow

ROWS_EVERY_S = 10.0
OnRows = Callable[[list[MetricRow]], None]


@dataclass(kw_only=True)
class Follower:
    """Reads a training's progress file as it grows.

    Attributes:
        folder: folder of the job.
        subject: subject of the stage that runs it.
        stage: name of that stage.
        listen: called with an event at the start and for every new row.
        check_stopped: raises if the run was stopped.
        steps: steps of a training; 0 for jobs that do not count steps.
        on_rows: called with new rows, at most every `ROWS_EVERY_S` seconds, and at the end.
    """

    folder: Path
    subject: Subject
    stage: str
    listen: Callable[[Event], None]
    check_stopped: Callable[[], None]
    steps: int = 0
    on_rows: OnRows = lambda _: None
    _read: int = 0
    _held: list[MetricRow] = field(default_factory=list)
    _passed_on: float = field(default_factory=time.monotonic)
    _slot: str = ""
    _started: float = field(default_factory=time.monotonic)

    @property
    def label(self) -> str:
        """The subject's label."""
        return self.subject.label

    def start(self, slot: str) -> None:
        """Report that the job has started in this slot."""
        self._slot, self._started = slot, time.monotonic()
        self._report(0, None)

    def poll(self) -> None:
        """Forward rows added since the last call.

        Raises:
            SlotsStoppedError: if the run was stopped.
        """
        self.check_stopped()
        path = self.folder / PROGRESS
        if not path.exists():
            return
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        # A resumed training rewrites the file; sending a row twice is harmless.
        self._read = min(self._read, len(lines))
        rows = [json.loads(line) for line in lines[self._read :] if line.endswith("\n")]
        if not rows:
            return
        self._read += len(rows)
        self._held += [MetricRow(row["step"], row["figures"], row["time"]) for row in rows]
        if time.monotonic() - self._passed_on >= ROWS_EVERY_S:
            self.pass_on()
        self._report(rows[-1]["step"], rows[-1]["figures"].get("hyper_validation/accuracy"))

    def pass_on(self) -> None:
        """Forward the rows held back; one write costs the tracker as much as many rows."""
        self._passed_on = time.monotonic()
        if self._held:
            self.on_rows(self._held)
            self._held = []

    def _report(self, step: int, accuracy: float | None) -> None:
        self.listen(
            Event(
                self.subject,
                self.stage,
                "running",
                step=step,
                steps=self.steps,
                accuracy=accuracy,
                slot=self._slot,
                seconds=time.monotonic() - self._started,
            )
        )
