"""Stage: replace the images of a prepared set by the output of the trunk's frozen part."""

from dataclasses import dataclass
from typing import Generic

from data.fingerprint import digest_json, sha256_file
from tasks.codec import encode
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.run_job import run_job
from tasks.engine.stage import A, Stage, StageInputs, Workplace
from tasks.jobs.inputs.features import FeaturesJob
from tasks.networks.description import NetworkDescription
from tasks.outcome import Outcome
from tasks.stages.weights import file_of, log_start
from tasks.storage.artifacts import Request


@dataclass(frozen=True, kw_only=True)
class FeaturesInputs(StageInputs, Generic[A]):
    """Images, and a trunk with a frozen part.

    Attributes:
        data: prepared images.
        network: the trunk, and which part is frozen.
        weights: initial weights of the trunk; the network holds their digest.
    """

    data: A
    network: NetworkDescription
    weights: A | None = None


def describe(inputs: FeaturesInputs) -> Request:
    """The identity depends on the images, on the trunk, and on its frozen part."""
    config = {"network": encode(inputs.network)}
    return Request("features", 1, config, {"data": inputs.data.digest}, 0, inputs.subject)


def execute(place: Workplace, inputs: FeaturesInputs) -> Outcome:
    """Compute in a slot process."""
    data, home = inputs.data, place.runtime.home
    job = FeaturesJob(
        network=inputs.network, weights=file_of(inputs.weights, home), data=home / data.folder
    )
    with tracked_run(place) as run_id:
        tracker, name = place.runtime.tracker, f"{data.summary['dataset']}/{data.summary['split']}"
        tracker.log_dataset(run_id, name, data.summary["content"], data.folder, "features")
        log_start(place, run_id, inputs.weights)
        summary = run_job(place, "features", job).summary
        content = digest_json(
            {path.name: sha256_file(path) for path in sorted(place.output.iterdir())}
        )
        tracker.log_dataset(run_id, f"{name} features", content, place.destination, "output")
    return Outcome({**data.summary, **summary, "content": content}, {"run_id": run_id})


STAGE = Stage("features", FeaturesInputs, describe, execute)
