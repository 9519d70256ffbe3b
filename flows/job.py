"""The flow that a worker runs: one job of a reproduction, on the worker's device."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed, Failed

from data.fingerprint import sha256_file
from tasks.execution.attempts import Attempt, Ended, RetiredError, alone, work_on, write_end
from tasks.execution.job_transfer import WorkerSync
from tasks.execution.parent_death import die_with_parent
from tasks.execution.slots import Slot
from tasks.jobs.__main__ import REJECTED, RETRYABLE
from tasks.jobs.files import JOB, PROGRESS
from tasks.storage.home import VARIABLE, HomeError, open_home
from tasks.storage.remote import StorageError, open_storage

SLOT = "GRADMIX_SLOT"


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
    die_with_parent()
    home = _home()
    attempt = Attempt(_inside(home, work), key)
    worker_sync = WorkerSync(home, attempt, open_storage())
    try:
        worker_sync.fetch()
        with alone(attempt):
            ended = _work(attempt, home, name, worker_sync, digest)
            write_end(attempt, ended)
            worker_sync.finish()
    except RetiredError as error:
        return Cancelled(message=str(error))
    if ended.exit_code:
        return Failed(message=ended.message)
    return Completed(message="Its outcome is in the work folder.")


def _work(attempt: Attempt, home: Path, name: str, worker_sync: WorkerSync, digest: str) -> Ended:
    if sha256_file(attempt.folder / JOB) != digest:
        message = f"expected the settings that were submitted, found another {JOB}; start again."
        return Ended(attempt.key, REJECTED, message)
    slot = Slot(os.environ.get(SLOT, "worker"), os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    lines = _Lines(attempt.folder / PROGRESS)

    def on_poll() -> None:
        lines.copy()
        # Work continues without the storage.
        with contextlib.suppress(StorageError):
            worker_sync.sync()

    try:
        # An earlier attempt may have left output.
        shutil.rmtree(attempt.folder / "output", ignore_errors=True)
        (attempt.folder / "output").mkdir()
        return work_on(attempt, home, name, slot, on_poll)
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
