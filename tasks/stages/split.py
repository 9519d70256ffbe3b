"""Stage: draw the roles of the target's training samples."""

from dataclasses import dataclass
from typing import Any, Generic

import numpy as np

from data.fingerprint import digest_json
from data.tables.file_names import SPLIT
from data.tables.split import split_target
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.stage import A, Stage, StageInputs, Workplace
from tasks.outcome import Outcome
from tasks.storage.artifacts import Request


@dataclass(frozen=True, kw_only=True)
class SplitInputs(StageInputs, Generic[A]):
    """The target, and the sizes of its roles.

    Attributes:
        target: prepared training data.
        classes: classes of the target.
        hyper_validation: number of hyper-validation samples.
        k: samples per class in V.
        seed: seed of the experiment.
        draw: number of V.
    """

    target: A
    classes: tuple[str, ...]
    hyper_validation: int
    k: int
    seed: int
    draw: int


def describe(inputs: SplitInputs) -> Request:
    """The identity depends on the data, the classes, the sizes, the seed and the draw."""
    config = {
        "classes": list(inputs.classes),
        "hyper_validation": inputs.hyper_validation,
        "k": inputs.k,
        "draw": inputs.draw,
    }
    data = {"target": inputs.target.digest}
    return Request("split", 1, config, data, inputs.seed, inputs.subject)


def execute(place: Workplace, inputs: SplitInputs) -> Outcome:
    """Draw hyper-validation, V and U; each role has its own digest."""
    from data.tables.prepared import read_prepared  # noqa: PLC0415 - loads pyarrow
    from data.tables.split_file import save_split  # noqa: PLC0415 - loads pyarrow

    target, classes = inputs.target, inputs.classes
    prepared = read_prepared(place.runtime.home / target.folder)
    split = split_target(
        prepared.labels,
        prepared.classes,
        classes,
        hyper_validation=inputs.hyper_validation,
        v_per_class=inputs.k,
        seed=inputs.seed,
        draw=inputs.draw,
        samples=prepared.samples,
    )
    save_split(split, place.output / SPLIT)
    roles = {"hyper_validation": split.hyper_validation, "V": split.v, "U": split.u}
    digests = {
        role: digest_json([target.digest, list(classes), rows.tolist()])
        for role, rows in roles.items()
    }
    with tracked_run(place) as run_id:
        tracker, folder = place.runtime.tracker, place.destination
        tracker.log_dataset(run_id, "target", target.summary["content"], target.folder, "splitting")
        for role, digest in digests.items():
            tracker.log_dataset(run_id, role, digest, folder, "output")
    counts = {role: len(rows) for role, rows in roles.items()}
    summary: dict[str, Any] = {"counts": counts, "digests": digests}
    if prepared.samples is not None:
        clips = np.array(prepared.samples.clips)
        summary["clips"] = {role: len(np.unique(clips[rows])) for role, rows in roles.items()}
    return Outcome(summary, {"run_id": run_id})


STAGE = Stage("split", SplitInputs, describe, execute)
