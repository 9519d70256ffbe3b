"""Stage: an ensemble on the labelled samples that its members were not trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

from data.fingerprint import digest_json
from tasks.codec import encode
from tasks.engine.run_job import run_job
from tasks.engine.stage import A, Stage, StageInputs, Workplace
from tasks.jobs.held_out import HeldOutJob, HeldOutMember
from tasks.networks.description import NetworkDescription
from tasks.outcome import Outcome
from tasks.stages.trained_models import located
from tasks.storage.artifacts import Request


@dataclass(frozen=True, kw_only=True)
class HeldOutInputs(StageInputs, Generic[A]):
    """An ensemble, and what it is scored on.

    Attributes:
        ensemble: a selection of its members.
        target: prepared training data.
        classes: of the target.
        split: whose hyper-validation was held out of every member's training.
        network: of the members.
        heads: classes of every head.
    """

    ensemble: A
    target: A
    classes: tuple[str, ...]
    split: A
    network: NetworkDescription
    heads: Mapping[str, tuple[str, ...]]


def describe(inputs: HeldOutInputs) -> Request:
    """The identity depends on the members in order, and on the samples that they have not seen."""
    digests = inputs.split.summary["digests"]
    used = {"target": inputs.target.digest, "hyper_validation": digests["hyper_validation"]}
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
        split=home / inputs.split.folder,
        members=tuple(
            HeldOutMember(
                **vars(located(member, home)),
                identity=member["identity"],
                split=home / inputs.split.folder,
            )
            for member in inputs.ensemble.summary["members"]
        ),
    )
    return run_job(place, "held_out", job)


STAGE = Stage("held_out", HeldOutInputs, describe, execute)
