"""Stage: pseudo-labels of U by the ensemble of the selected models."""

from typing import Any

from data.fingerprint import digest_json
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.run_job import run_job
from tasks.engine.stage import Outcome, Stage, Workplace
from tasks.jobs.pseudo_label import FILE
from tasks.stages.evaluate import located
from tasks.storage.artifacts import Artifact, Request


def describe(
    label: str,
    ensemble: Artifact,
    target: Artifact,
    classes: list[str],
    split: Artifact,
    threshold: float,
    network: dict[str, Any],
    heads: dict[str, list[str]],
) -> Request:
    """The members in order, U, and the threshold decide."""
    inputs = {"target": target.digest, "U": split.summary["digests"]["U"]}
    for i, member in enumerate(ensemble.summary["members"]):
        # The file names its members, so equal weights of two cells are not the same member.
        inputs[f"member {i}"] = digest_json([member["identity"], member["digest"]])
    config = {"classes": classes, "threshold": threshold, "network": network, "heads": heads}
    return Request("pseudo_label", 2, config, inputs, 0, label)


def execute(
    place: Workplace,
    label: str,
    ensemble: Artifact,
    target: Artifact,
    classes: list[str],
    split: Artifact,
    threshold: float,
    network: dict[str, Any],
    heads: dict[str, list[str]],
) -> Outcome:
    """Predict U with every member in a slot process and write the Parquet file."""
    del label
    runtime = place.runtime
    members = ensemble.summary["members"]
    job = {
        "network": network,
        "heads": heads,
        "seed": 0,
        "classes": classes,
        "threshold": threshold,
        "target": str(runtime.home / target.folder),
        "target_name": f"{target.summary['dataset']}/{target.summary['split']}",
        "split": str(runtime.home / split.folder),
        "digests": dict(place.request.inputs),
        "members": [
            {
                **located(member, runtime.home),
                "identity": member["identity"],
                "run_id": run_id,
            }
            for member, run_id in zip(members, ensemble.notes["runs"], strict=True)
        ],
    }
    with tracked_run(place) as run_id:
        u_digest = place.request.inputs["U"]
        runtime.tracker.log_dataset(run_id, "U", u_digest, split.folder, "unlabelled")
        runtime.tracker.log_model_inputs(run_id, ensemble.notes["models"])
        outcome = run_job(place, "pseudo_label", job)
        content = outcome["summary"]["content"]
        folder = place.destination
        runtime.tracker.log_dataset(run_id, "pseudo_labels", content, folder, "output")
        runtime.tracker.log_artifact(run_id, place.output / FILE, later=place.final_path(FILE))
    return Outcome(outcome["summary"], {"run_id": run_id}, outcome["contents"])


STAGE = Stage("pseudo_label", describe, execute)
