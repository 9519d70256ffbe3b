"""Stage: the pretrained weights that trunks start from, as an artifact like any other."""

import shutil
from pathlib import Path

from data.fingerprint import sha256_file
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.stage import Outcome, Stage, Workplace
from tasks.errors import StageError
from tasks.storage.artifacts import Artifact, Request

FILE = "weights.pt"


def describe(label: str, path: str, digest: str) -> Request:
    """The bytes of the file decide, not where it lies.

    Args:
        label: for people.
        path: of the file.
        digest: SHA-256 of it.
    """
    del path
    return Request("weights", 1, {}, {"file": digest}, 0, label)


def execute(place: Workplace, label: str, path: str, digest: str) -> Outcome:
    """Copy the file into the home folder, where workers on every host find it."""
    del label
    with tracked_run(place) as run_id:
        copy = place.output / FILE
        shutil.copyfile(path, copy)
        if (found := sha256_file(copy)) != digest:
            raise StageError(
                f"{path}: expected SHA-256 {digest[:12]}, found {found[:12]}; it was changed after "
                "the start: start again."
            )
        tracker = place.runtime.tracker
        tracker.log_dataset(run_id, Path(path).name, digest, path, "raw")
        tracker.log_dataset(run_id, "weights", digest, place.destination, "output")
    return Outcome({"content": digest}, {"run_id": run_id})


def file_of(weights: Artifact | None, home: Path) -> str | None:
    """Where the file lies, for a job; None without one."""
    return None if weights is None else str(home / weights.folder / FILE)


def log_start(place: Workplace, run_id: str, weights: Artifact | None) -> None:
    """Name the weights that a run's trunk starts from."""
    if weights is not None:
        content = weights.summary["content"]
        place.runtime.tracker.log_dataset(run_id, "weights", content, weights.folder, "initial")


STAGE = Stage("weights", describe, execute)
