"""Finished trainings among a stage's inputs: their own artifact, or a selection's best member."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.jobs.inputs.models import TrainedModel
from tasks.storage.artifacts import Artifact


@dataclass(frozen=True, kw_only=True)
class FinishedTraining:
    """What later stages need from a training.

    Attributes:
        digest: digest of its artifact.
        run_id: id of its MLflow run.
        member: its entry in a selection (`member_of`).
    """

    digest: str
    run_id: str
    member: Mapping[str, Any]

    def located(self, home: Path) -> TrainedModel:
        """The model, for a job that uses this home folder."""
        return located(self.member, home)


def best(model: Artifact) -> FinishedTraining:
    """A training, or the best member of a selection."""
    if "members" in model.summary:
        member, run_id = model.summary["members"][0], model.notes["runs"][0]
    else:
        member, run_id = model_of(model), model.notes["run_id"]
    digest = member.get("digest", model.digest)
    return FinishedTraining(digest=digest, run_id=run_id, member=member)


def located(member: Mapping[str, Any], home: Path) -> TrainedModel:
    """A training described by a selection or `model_of`, for a job that uses this home folder."""
    return TrainedModel(
        folder=home / member["folder"], method=member["method"], sources=tuple(member["sources"])
    )


def model_of(artifact: Artifact) -> Mapping[str, Any]:
    """What is needed to load a training's model."""
    config = artifact.document["config"]
    sources = [*config["order"]["sources"], *(["S_u"] if config["pseudo"] else [])]
    return {"folder": artifact.folder, "method": config["method"], "sources": sources}


def member_of(artifact: Artifact) -> Mapping[str, Any]:
    """Entry of a selected training in a selection; part of the selection's digest."""
    config = artifact.document["config"]
    return {
        "identity": artifact.identity,
        "digest": artifact.digest,
        "learning_rate": config["learning_rate"],
        "settings": config["settings"],
        **model_of(artifact),
        "accuracy": artifact.summary["accuracy"],
        "loss": artifact.summary["loss"],
    }
