"""Stage: does the rho of a mini-batch tell how much its step helps (§3.4)?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

from tasks.codec import encode
from tasks.engine.run_job import run_job
from tasks.engine.stage import A, Stage, StageInputs, Workplace
from tasks.jobs.inputs.rho_study import RhoStudyJob
from tasks.jobs.inputs.streams import BatchSettings
from tasks.networks.description import NetworkDescription
from tasks.outcome import Outcome
from tasks.stages.sources import SourceInput, head_and_classes, source_sets
from tasks.stages.weights import file_of
from tasks.storage.artifacts import Request

PROBES = 100
MOMENTUM = 0.0


@dataclass(frozen=True, kw_only=True)
class RhoStudyInputs(StageInputs, Generic[A]):
    """A finished model, and the data of its training.

    Attributes:
        model: selection whose best member is probed, along with its initial weights.
        training: sizes of mini-batches.
        network: network of the model.
        heads: classes of each head.
        sources: the labelled sources.
        target: prepared target training data.
        classes: classes of the target.
        split: roles of the target's samples.
        seed: seed of the model's training, whose mini-batches are replayed.
        weights: initial weights of the trunk; the network holds their digest.
    """

    model: A
    training: BatchSettings
    network: NetworkDescription
    heads: Mapping[str, tuple[str, ...]]
    sources: tuple[SourceInput[A], ...]
    target: A
    classes: tuple[str, ...]
    split: A
    seed: int
    weights: A | None = None


def describe(inputs: RhoStudyInputs) -> Request:
    """The identity depends on the model, its method's settings and the data."""
    member, digests = inputs.model.summary["members"][0], inputs.split.summary["digests"]
    used = {f"source {source.name}": source.data.digest for source in inputs.sources}
    used |= {role: digests[role] for role in ("V", "hyper_validation")}
    used |= {"model": member["digest"], "target": inputs.target.digest}
    config = {
        "method": member["method"],
        "settings": member["settings"],
        "learning_rate": member["learning_rate"],
        "momentum": MOMENTUM,
        "network": encode(inputs.network),
        "training": {
            "batch_size": inputs.training.batch_size,
            "v_whole_up_to": inputs.training.v_whole_up_to,
        },
        "heads": encode(inputs.heads),
        "sources": head_and_classes(inputs.sources),
        "pseudo": None,
        "probes": PROBES,
    }
    return Request("rho_study", 2, config, used, inputs.seed, inputs.subject)


def execute(place: Workplace, inputs: RhoStudyInputs) -> Outcome:
    """Probe in a slot process."""
    home, member = place.runtime.home, inputs.model.summary["members"][0]
    job = RhoStudyJob(
        method=member["method"],
        settings=member["settings"],
        learning_rate=member["learning_rate"],
        momentum=MOMENTUM,
        network=inputs.network,
        heads=inputs.heads,
        seed=inputs.seed,
        weights=file_of(inputs.weights, home),
        classes=inputs.classes,
        source_sets=source_sets(inputs.sources, home),
        training=inputs.training,
        target=home / inputs.target.folder,
        split=home / inputs.split.folder,
        trained=home / member["folder"],
        probes=PROBES,
    )
    return Outcome(run_job(place, "rho_study", job).summary)


STAGE = Stage("rho_study", RhoStudyInputs, describe, execute)
