"""Stage: turn pretrained weights of trunks into an artifact like any other."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from data.fingerprint import sha256_file
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.stage import Stage, StageInputs, Workplace
from tasks.errors import StageError
from tasks.outcome import Outcome
from tasks.storage.artifacts import Artifact, Request

FILE = "weights.pt"


@dataclass(frozen=True, kw_only=True)
class WeightsInputs(StageInputs):
    """A file of weights.

    Attributes:
        path: path of the file, not part of the identity.
        digest: SHA-256 of the file.
    """

    path: Path
    digest: str


def describe(inputs: WeightsInputs) -> Request:
    """The identity depends on the file's bytes."""
    return Request("weights", 1, {}, {"file": inputs.digest}, 0, inputs.subject)


def execute(place: Workplace, inputs: WeightsInputs) -> Outcome:
    """Copy the file into the home folder, so that workers on every host find it."""
    path, digest = inputs.path, inputs.digest
    with tracked_run(place) as run_id:
        copy = place.output / FILE
        shutil.copyfile(path, copy)
        if (found := sha256_file(copy)) != digest:
            raise StageError(
                f"{path}: expected SHA-256 {digest[:12]}, found {found[:12]}; it was changed after "
                "the start: start again."
            )
        tracker = place.runtime.tracker
        tracker.log_dataset(run_id, path.name, digest, str(path), "raw")
        tracker.log_dataset(run_id, "weights", digest, place.destination, "output")
    return Outcome({"content": digest}, {"run_id": run_id})


def file_of(weights: Artifact | None, home: Path) -> Path | None:
    """Path of the weights file, or None."""
    return None if weights is None else home / weights.folder / FILE


def log_start(place: Workplace, run_id: str, weights: Artifact | None) -> None:
    """Log the weights that a run's trunk starts from."""
    if weights is not None:
        content = weights.summary["content"]
        place.runtime.tracker.log_dataset(run_id, "weights", content, weights.folder, "initial")


STAGE = Stage("weights", WeightsInputs, describe, execute)
