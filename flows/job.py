"""The flow of one job of a reproduction, in a slot of the host that took it."""

import contextlib
import os
import shutil
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed, Failed

from data.fingerprint import sha256_file
from tasks.errors import StageError
from tasks.execution.attempts import Attempt, Ended, RetiredError, alone, work_on, write_end
from tasks.execution.job_transfer import WorkerSync
from tasks.execution.launch import Launch, fresh
from tasks.execution.slots import Slot
from tasks.jobs.__main__ import REJECTED, RETRYABLE
from tasks.jobs.files import JOB, PROGRESS
from tasks.storage.home import VARIABLE, HomeError, open_home
from tasks.storage.remote import StorageError, open_storage


class EndedEarlyError(RuntimeError):
    """A job must end early.

    Args:
        state: final state of its flow run.
    """

    def __init__(self, state: State[None]) -> None:
        super().__init__(state.message)
        self.state = state


@dataclass(frozen=True, kw_only=True)
class Place:
    """Slot in which a job runs.

    Attributes:
        slot: the slot, with its fleet-wide name.
        launch: starts the job's process.
        check: called every half second while the job runs; raises `EndedEarlyError` to end it.
    """

    slot: Slot
    launch: Launch = fresh
    check: Callable[[], None] = lambda: None


PLACE: ContextVar[Place] = ContextVar("place")
"""Set by `deploy.host_runner`, which takes the flow runs."""


@flow(name="job", flow_run_name="{label}", persist_result=False)
def job(name: str, work: str, label: str, key: str, digest: str) -> Any:  # noqa: ANN401 - a state of Prefect's
    """Run a job for the reproduction that submitted it.

    Args:
        name: name of the job: `train`, `label`, `evaluate`, ...
        work: folder of the job, relative to the home folder of this host (GRADMIX_HOME).
        label: display name.
        key: key of the attempt; if the folder has another, the job is no longer wanted.
        digest: SHA-256 of the job's settings, which may name code: it must not be chosen by anyone
            who can write to the storage.
    """
    del label
    place = _place()
    home = _home()
    attempt = Attempt(_inside(home, work), key)
    worker_sync = WorkerSync(home, attempt, open_storage())
    try:
        worker_sync.fetch()
        with alone(attempt, place.check):
            ended = _work(attempt, home, name, worker_sync, digest, place)
            write_end(attempt, ended)
            worker_sync.finish(place.check)
    except RetiredError as error:
        return Cancelled(message=str(error))
    except EndedEarlyError as error:
        return error.state
    if ended.exit_code:
        return Failed(message=ended.message)
    return Completed(message="Its outcome is in the work folder.")


def _work(
    attempt: Attempt, home: Path, name: str, worker_sync: WorkerSync, digest: str, place: Place
) -> Ended:
    if sha256_file(attempt.folder / JOB) != digest:
        message = f"expected the settings that were submitted, found another {JOB}; start again."
        return Ended(attempt.key, REJECTED, message)
    lines = _Lines(attempt.folder / PROGRESS)

    def on_poll() -> None:
        place.check()
        lines.copy()
        # Work continues without the storage.
        with contextlib.suppress(StorageError):
            worker_sync.sync()

    try:
        # An earlier attempt may have left output.
        shutil.rmtree(attempt.folder / "output", ignore_errors=True)
        (attempt.folder / "output").mkdir()
        return work_on(attempt, home, name, place.slot, on_poll, place.launch)
    except OSError as error:
        return Ended(attempt.key, RETRYABLE, str(error))


class _Lines:
    """Copies a training's progress lines to Prefect's log."""

    def __init__(self, path: Path) -> None:
        self._path, self._copied = path, 0
        self._log = get_run_logger()

    def copy(self) -> None:
        if not self._path.exists():
            return
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        for line in whole[self._copied :]:
            self._log.info(line.strip())
        self._copied = max(self._copied, len(whole))


def _place() -> Place:
    place = PLACE.get(None)
    if place is None:
        raise StageError(
            "expected a slot of a fleet to run this job in, found another worker of the work pool; "
            "give slots with gradmix up --join instead."
        )
    return place


def _home() -> Path:
    named = os.environ.get(VARIABLE)
    if not named:
        raise HomeError(f"expected the home folder in {VARIABLE}, found none; start gradmix up.")
    return open_home(Path(named))


def _inside(home: Path, work: str) -> Path:
    """Work folder of a job, which must be inside the home folder."""
    folder = home / work
    # As created by `Store.work`: work/STAGE/IDENTITY.
    if folder.resolve().parent.parent != (home / "work").resolve():
        raise HomeError(f"expected a job's folder under {home / 'work'}, found {work!r}.")
    return folder
