"""Run a job in a process of its own, here or on a worker, and follow it."""

import json
from collections.abc import Mapping
from typing import Any

from tasks.engine.stage import Workplace
from tasks.errors import StageError
from tasks.execution.attempts import LOG, Attempt, alone, job_command
from tasks.execution.progress import Follower, OnRows
from tasks.execution.slots import ChildFailedError, SlotPool, run_in_slot
from tasks.jobs.__main__ import OUTCOME
from tasks.jobs.files import write_job


def run_job(
    place: Workplace,
    name: str,
    job: Mapping[str, Any],
    on_rows: OnRows = lambda _: None,
    *,
    decodes: bool = False,
) -> dict[str, Any]:
    """Run a job of `tasks.jobs` where there is room next; returns its outcome.

    Args:
        place: where it works; files go to the output folder.
        name: of the job.
        job: its settings and paths.
        on_rows: told of new figures while it runs.
        decodes: whether it decodes photos or clips: that needs no GPU, and runs beside the data.

    Raises:
        StageError: if the process ends with an error.
    """
    runtime, label = place.runtime, place.request.label
    write_job(place.folder, job, runtime.home)
    follower = Follower(place, job, on_rows)
    try:
        if runtime.workers is not None and not decodes:
            runtime.workers.run(place, name, follower)
        else:
            _run_here(place, name, runtime.decoders if decodes else runtime.slots, follower)
    except ChildFailedError as error:
        raise StageError(f"{label}: {error}") from error
    outcome: dict[str, Any] = json.loads((place.folder / OUTCOME).read_text(encoding="utf-8"))
    return outcome


def _run_here(place: Workplace, name: str, slots: SlotPool, follower: Follower) -> None:
    home, folder = place.runtime.home, place.folder
    attempt = Attempt.begin(folder)

    def poll() -> None:
        attempt.check()
        follower.poll()

    with slots.take() as slot, alone(attempt):
        follower.start(slot.name)
        run_in_slot(job_command(name, folder, home), slot, log=folder / LOG, cwd=home, poll=poll)
