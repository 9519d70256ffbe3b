"""Stage: score an ensemble on labelled samples that its members were not trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from data.fingerprint import digest_json
from tasks.codec import encode
from tasks.engine.run_job import run_job
from tasks.engine.stage import A, Stage, StageInputs, Workplace
from tasks.errors import StageError
from tasks.jobs.inputs.held_out import HeldOutJob, HeldOutMember
from tasks.networks.description import NetworkDescription
from tasks.outcome import Outcome
from tasks.stages.trained_models import located
from tasks.storage.artifacts import RESULT, Artifact, Request, read_artifact


@dataclass(frozen=True, kw_only=True)
class HeldOutInputs(StageInputs, Generic[A]):
    """An ensemble, and the data to score it on.

    Attributes:
        ensemble: selection of its members.
        target: prepared training data.
        classes: classes of the target.
        splits: splits of the members' trainings, whose hyper-validation was held out.
        network: network of the members.
        heads: classes of each head.
    """

    ensemble: A
    target: A
    classes: tuple[str, ...]
    splits: tuple[A, ...]
    network: NetworkDescription
    heads: Mapping[str, tuple[str, ...]]


def describe(inputs: HeldOutInputs) -> Request:
    """The identity depends on the members in order, and on the samples they have not seen."""
    used = {"target": inputs.target.digest}
    used |= {f"split {i}": split.digest for i, split in enumerate(inputs.splits)}
    for i, member in enumerate(inputs.ensemble.summary["members"]):
        used[f"member {i}"] = digest_json([member["identity"], member["digest"]])
    config = {
        "classes": list(inputs.classes),
        "network": encode(inputs.network),
        "heads": encode(inputs.heads),
    }
    return Request("held_out", 1, config, used, 0, inputs.subject)


def execute(place: Workplace, inputs: HeldOutInputs) -> Outcome:
    """Score in a slot process."""
    home = place.runtime.home
    job = HeldOutJob(
        network=inputs.network,
        heads=inputs.heads,
        seed=0,
        classes=inputs.classes,
        target=home / inputs.target.folder,
        members=tuple(
            HeldOutMember(
                **vars(located(member, home)),
                identity=member["identity"],
                split=home / _split_of(member, inputs.splits, home).folder,
            )
            for member in inputs.ensemble.summary["members"]
        ),
    )
    return run_job(place, "held_out", job)


def _split_of(member: Mapping[str, Any], splits: Sequence[Artifact], home: Path) -> Artifact:
    """The split used by a member's training."""
    training = read_artifact(home / member["folder"] / RESULT)
    wanted = training.document["inputs"]["hyper_validation"]
    for split in splits:
        if split.summary["digests"]["hyper_validation"] == wanted:
            return split
    raise StageError(
        f"expected the split of {training.label} among those of its V, found others; run the "
        "experiment again."
    )


STAGE = Stage("held_out", HeldOutInputs, describe, execute)
