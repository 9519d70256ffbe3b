"""Follows a job from outside its process: what it says on the way, and whether it is to stop."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tasks.engine.runtime import Event
from tasks.engine.stage import Workplace
from tasks.jobs.train import PROGRESS
from tasks.tracking.tracker import MetricRow

OnRows = Callable[[list[MetricRow]], None]


class Follower:
    """Reads a training's progress file as it grows and passes it on.

    Args:
        place: where the job works.
        job: its settings.
        on_rows: told of new figures.
    """

    def __init__(self, place: Workplace, job: Mapping[str, Any], on_rows: OnRows) -> None:
        self._place, self._on_rows = place, on_rows
        self._path: Path = place.folder / PROGRESS
        self._steps = int(job.get("training", {}).get("steps", 0))
        self._sent = 0
        self._slot = ""
        self._started = time.monotonic()

    def start(self, slot: str) -> None:
        """Say where it runs, from now on."""
        self._slot, self._started = slot, time.monotonic()
        self._tell(0, None)

    def poll(self) -> None:
        """Pass on the rows that are new since the last call.

        Raises:
            SlotsStoppedError: if the run was stopped.
        """
        self._place.runtime.slots.raise_if_stopped()
        if not self._path.exists():
            return
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        # A resumed training rewrites the file; what was sent is sent again, which is harmless.
        self._sent = min(self._sent, len(lines))
        rows = [json.loads(line) for line in lines[self._sent :] if line.endswith("\n")]
        if not rows:
            return
        self._sent += len(rows)
        self._on_rows([MetricRow(row["step"], row["figures"], row["time"]) for row in rows])
        self._tell(rows[-1]["step"], rows[-1]["figures"]["hyper_validation/accuracy"])

    def _tell(self, step: int, accuracy: float | None) -> None:
        request = self._place.request
        self._place.runtime.listen(
            Event(
                request.label,
                request.stage,
                "running",
                step=step,
                steps=self._steps,
                accuracy=accuracy,
                slot=self._slot,
                seconds=time.monotonic() - self._started,
            )
        )
