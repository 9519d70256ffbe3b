"""Stage: a prepared set with what the frozen part of the trunk makes of its images."""

from typing import Any

from data.fingerprint import digest_json, sha256_file
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.run_job import run_job
from tasks.engine.stage import Outcome, Stage, Workplace
from tasks.stages.weights import file_of, log_start
from tasks.storage.artifacts import Artifact, Request


def describe(
    label: str, data: Artifact, network: dict[str, Any], weights: Artifact | None = None
) -> Request:
    """The images, the trunk and what of it is frozen decide.

    Args:
        label: for people.
        data: prepared images.
        network: trunk, its settings, normalisation, frozen part; digests of weights and code.
        weights: that the trunk starts from; their digest is the network's.
    """
    del weights
    return Request("features", 1, {"network": network}, {"data": data.digest}, 0, label)


def execute(
    place: Workplace,
    label: str,
    data: Artifact,
    network: dict[str, Any],
    weights: Artifact | None = None,
) -> Outcome:
    """Compute in a slot process."""
    del label
    job = {
        "network": network,
        "weights": file_of(weights, place.runtime.home),
        "data": str(place.runtime.home / data.folder),
    }
    with tracked_run(place) as run_id:
        tracker, name = place.runtime.tracker, f"{data.summary['dataset']}/{data.summary['split']}"
        tracker.log_dataset(run_id, name, data.summary["content"], data.folder, "features")
        log_start(place, run_id, weights)
        summary = run_job(place, "features", job)["summary"]
        content = digest_json(
            {path.name: sha256_file(path) for path in sorted(place.output.iterdir())}
        )
        tracker.log_dataset(run_id, f"{name} features", content, place.destination, "output")
    return Outcome({**data.summary, **summary, "content": content}, {"run_id": run_id})


STAGE = Stage("features", describe, execute)
