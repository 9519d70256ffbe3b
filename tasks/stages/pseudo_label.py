"""Stage: pseudo-label U with the ensemble of selected models."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

from data.fingerprint import digest_json
from data.tables.file_names import PSEUDO_LABELS
from tasks.codec import encode
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.run_job import run_job
from tasks.engine.stage import A, Stage, StageInputs, Workplace
from tasks.jobs.inputs.pseudo_label import EnsembleMember, PseudoLabelJob
from tasks.networks.description import NetworkDescription
from tasks.outcome import Outcome
from tasks.stages.trained_models import located
from tasks.storage.artifacts import Request


@dataclass(frozen=True, kw_only=True)
class PseudoLabelInputs(StageInputs, Generic[A]):
    """An ensemble, and the data to label.

    Attributes:
        ensemble: selection whose members vote.
        target: prepared training data.
        classes: classes of the target.
        split: split with the role U.
        threshold: confidence that a hard label must exceed.
        network: network of the members.
        heads: classes of each head.
    """

    ensemble: A
    target: A
    classes: tuple[str, ...]
    split: A
    threshold: float
    network: NetworkDescription
    heads: Mapping[str, tuple[str, ...]]


def describe(inputs: PseudoLabelInputs) -> Request:
    """The identity depends on the members in order, on U, and on the threshold."""
    used = {"target": inputs.target.digest, "U": inputs.split.summary["digests"]["U"]}
    for i, member in enumerate(inputs.ensemble.summary["members"]):
        # The file names its members, so two cells with equal weights are different members.
        used[f"member {i}"] = digest_json([member["identity"], member["digest"]])
    config = {
        "classes": list(inputs.classes),
        "threshold": inputs.threshold,
        "network": encode(inputs.network),
        "heads": encode(inputs.heads),
    }
    return Request("pseudo_label", 2, config, used, 0, inputs.subject)


def execute(place: Workplace, inputs: PseudoLabelInputs) -> Outcome:
    """Predict U with every member in a slot process and write the Parquet file."""
    tracker, ensemble, split = place.runtime.tracker, inputs.ensemble, inputs.split
    with tracked_run(place) as run_id:
        u_digest = place.request.inputs["U"]
        tracker.log_dataset(run_id, "U", u_digest, split.folder, "unlabelled")
        tracker.log_model_inputs(run_id, ensemble.notes["models"])
        outcome = run_job(place, "pseudo_label", _job(place, inputs))
        content = outcome.summary["content"]
        tracker.log_dataset(run_id, "pseudo_labels", content, place.destination, "output")
        tracker.log_artifact(
            run_id, place.output / PSEUDO_LABELS, later=place.final_path(PSEUDO_LABELS)
        )
    return Outcome(outcome.summary, {"run_id": run_id}, outcome.contents)


def _job(place: Workplace, inputs: PseudoLabelInputs) -> PseudoLabelJob:
    home, target, ensemble = place.runtime.home, inputs.target, inputs.ensemble
    members = zip(ensemble.summary["members"], ensemble.notes["runs"], strict=True)
    return PseudoLabelJob(
        network=inputs.network,
        heads=inputs.heads,
        seed=0,
        classes=inputs.classes,
        threshold=inputs.threshold,
        target=home / target.folder,
        target_name=f"{target.summary['dataset']}/{target.summary['split']}",
        split=home / inputs.split.folder,
        digests=place.request.inputs,
        members=tuple(
            EnsembleMember(
                **vars(located(member, home)), identity=member["identity"], run_id=run_id
            )
            for member, run_id in members
        ),
    )


STAGE = Stage("pseudo_label", PseudoLabelInputs, describe, execute)
