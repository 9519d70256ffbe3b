"""Expected durations of trainings, from earlier ones and from what a method computes."""

import contextlib
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradmix.declarations.methods import METHODS, method_named
from tasks.codec import encode
from tasks.stages.train import TrainInputs
from tasks.storage.artifacts import Artifact


@dataclass(frozen=True, kw_only=True)
class TrainingWork:
    """What a training computes.

    Attributes:
        method: name of the method.
        streams: batches per step: V, the sources that it reads, and S_u.
        batch_size: images per batch.
        steps: number of steps; for a training on all of V, at most.
        network: trunk, its settings and its frozen part.
    """

    method: str
    streams: int
    batch_size: int
    steps: int
    network: str

    @property
    def images(self) -> float:
        """Images per step, weighted by what the method does with them."""
        return self.streams * self.batch_size * METHODS[self.method].cost

    def same_step(self, other: "TrainingWork") -> bool:
        """Whether a step of the other computes the same."""
        return self.same_network(other) and (self.method, self.streams, self.batch_size) == (
            other.method, other.streams, other.batch_size
        )  # fmt: skip

    def same_network(self, other: "TrainingWork") -> bool:
        """Whether the other trains the same network."""
        return self.network == other.network


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A finished training: what it computed, and its seconds per step."""

    work: TrainingWork
    step: float


def work_of(inputs: TrainInputs[Any]) -> TrainingWork:
    """What a planned training will compute."""
    reads = method_named(inputs.method).reads_source
    read = sum(reads(source.head) for source in inputs.sources)
    return TrainingWork(
        method=inputs.method,
        streams=1 + read + (inputs.pseudo is not None),
        batch_size=inputs.training.batch_size,
        steps=inputs.training.steps,
        network=_network(encode(inputs.network)),
    )


def measured(artifact: Artifact) -> Measured | None:
    """What a finished training computed and took; None if unknown, or of a former method."""
    config, notes = artifact.document["config"], artifact.notes
    with contextlib.suppress(KeyError, TypeError, ValueError):
        steps = int(artifact.summary["steps"])
        timed = steps - int(notes.get("resumed_from") or 0)
        work = TrainingWork(
            method=config["method"],
            streams=1 + len(config["order"]["sources"]) + (config["pseudo"] is not None),
            batch_size=config["training"]["batch_size"],
            steps=steps,
            network=_network(config["network"]),
        )
        if timed > 0 and work.method in METHODS:
            return Measured(work=work, step=float(notes["seconds"]) / timed)
    return None


def training_time(work: TrainingWork, known: Sequence[Measured]) -> float | None:
    """Seconds of a training in a slot; None if no training of its network is known.

    The median step of trainings that compute the same, or else that of others of the same network,
    scaled by the images per step.
    """
    same = [one.step for one in known if work.same_step(one.work)]
    if same:
        return statistics.median(same) * work.steps
    alike = [one.step / one.work.images for one in known if work.same_network(one.work)]
    return statistics.median(alike) * work.images * work.steps if alike else None


def _network(config: Mapping[str, Any]) -> str:
    return repr([config.get(name) for name in ("trunk", "settings", "frozen")])
