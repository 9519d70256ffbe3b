"""Run a job in a slot process and follow it."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tasks.errors import StageError
from tasks.home import write_atomically
from tasks.runtime import Event
from tasks.slots import ChildFailedError, run_in_slot
from tasks.stage import Workplace
from tasks.tracker import MetricRow
from tasks.train_job import PROGRESS

LOG = "log.txt"
OUTCOME = "outcome.json"


def run_job(
    place: Workplace,
    name: str,
    job: Mapping[str, Any],
    on_rows: Callable[[list[MetricRow]], None] = lambda _: None,
    *,
    decodes: bool = False,
) -> dict[str, Any]:
    """Run a job of `tasks.worker` in the next free slot; returns its outcome.

    Args:
        place: where it works; files go to the output folder.
        name: of the job.
        job: its settings and paths.
        on_rows: told of new figures while it runs.
        decodes: whether it decodes photos or clips, which needs no GPU.

    Raises:
        StageError: if the process ends with an error.
    """
    runtime, label = place.runtime, place.request.label
    write_atomically(place.folder / "job.json", json.dumps(job, indent=1) + "\n")
    (place.folder / OUTCOME).unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", "tasks.worker", name, str(place.folder)]
    with (runtime.decoders if decodes else runtime.slots).take() as slot:
        follower = _Follower(place, job, slot.name, on_rows)
        try:
            run_in_slot(command, slot, log=place.folder / LOG, cwd=runtime.home, poll=follower.poll)
        except ChildFailedError as error:
            raise StageError(f"{label}: {error}") from error
    outcome: dict[str, Any] = json.loads((place.folder / OUTCOME).read_text(encoding="utf-8"))
    return outcome


class _Follower:
    """Reads a training's progress file as it grows and passes it on."""

    def __init__(
        self,
        place: Workplace,
        job: Mapping[str, Any],
        slot: str,
        on_rows: Callable[[list[MetricRow]], None],
    ) -> None:
        self._place, self._slot, self._on_rows = place, slot, on_rows
        self._path: Path = place.folder / PROGRESS
        self._steps = int(job.get("training", {}).get("steps", 0))
        self._sent = 0
        self._started = time.monotonic()
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
