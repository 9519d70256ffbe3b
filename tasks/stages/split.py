"""Stage: one draw, the roles of the target's training samples."""

from typing import Any

import numpy as np

from data.fingerprint import digest_json
from data.tables.prepared import load_prepared
from data.tables.split import save_split, split_target
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.stage import Outcome, Stage, Workplace
from tasks.storage.artifacts import Artifact, Request

FILE = "split.parquet"


def describe(
    label: str,
    target: Artifact,
    classes: list[str],
    hyper_validation: int,
    k: int,
    seed: int,
    draw: int,
) -> Request:
    """Data, classes, sizes, seed and draw decide."""
    config = {"classes": classes, "hyper_validation": hyper_validation, "k": k, "draw": draw}
    return Request("split", 1, config, {"target": target.digest}, seed, label)


def execute(
    place: Workplace,
    label: str,
    target: Artifact,
    classes: list[str],
    hyper_validation: int,
    k: int,
    seed: int,
    draw: int,
) -> Outcome:
    """Draw hyper-validation, V and U; each role has a digest of its own."""
    del label
    prepared = load_prepared(place.runtime.home / target.folder)
    split = split_target(
        prepared.labels.numpy(),
        prepared.classes,
        tuple(classes),
        hyper_validation=hyper_validation,
        v_per_class=k,
        seed=seed,
        draw=draw,
        samples=prepared.samples,
    )
    save_split(split, place.output / FILE)
    roles = {"hyper_validation": split.hyper_validation, "V": split.v, "U": split.u}
    digests = {
        role: digest_json([target.digest, classes, rows.tolist()]) for role, rows in roles.items()
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


STAGE = Stage("split", describe, execute)
