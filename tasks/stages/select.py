"""Stage: the best trainings on hyper-validation."""

import json
from typing import Any

from data.fingerprint import digest_json
from gradmix.ensembling import Candidate, select_top
from tasks.engine.stage import Outcome, Stage, Workplace
from tasks.storage.artifacts import Artifact, Request


def describe(label: str, candidates: list[Artifact], r: int) -> Request:
    """The candidates, in cell order, and R decide."""
    # Equal results of different settings are different candidates, hence both digests.
    inputs = {
        f"candidate {i}": digest_json([candidate.identity, candidate.digest])
        for i, candidate in enumerate(candidates)
    }
    return Request("select", 2, {"r": r}, inputs, 0, label)


def execute(place: Workplace, label: str, candidates: list[Artifact], r: int) -> Outcome:
    """Rank by hyper-validation accuracy, ties by lower loss, then by cell order."""
    del label
    top = select_top(
        [
            Candidate(str(i), artifact.summary["accuracy"], artifact.summary["loss"], i)
            for i, artifact in enumerate(candidates)
        ],
        r,
    )
    chosen = [candidates[candidate.order] for candidate in top]
    members = [_member(artifact) for artifact in chosen]
    (place.output / "members.json").write_text(json.dumps(members, indent=1) + "\n")
    return Outcome(
        {"members": members, "candidates": len(candidates)},
        notes={
            "labels": [artifact.label for artifact in chosen],
            "runs": [artifact.notes["run_id"] for artifact in chosen],
            "models": [artifact.notes["model_id"] for artifact in chosen],
        },
    )


def _member(artifact: Artifact) -> dict[str, Any]:
    """What later stages need to know of a chosen training."""
    return {
        "identity": artifact.identity,
        "digest": artifact.digest,
        "learning_rate": artifact.document["config"]["learning_rate"],
        "settings": artifact.document["config"]["settings"],
        **model_of(artifact),
        "accuracy": artifact.summary["accuracy"],
        "loss": artifact.summary["loss"],
    }


def model_of(artifact: Artifact) -> dict[str, Any]:
    """What it takes to load a training's model: its network is the method's, for its sources."""
    config = artifact.document["config"]
    sources = [*config["order"]["sources"], *(["S_u"] if config["pseudo"] else [])]
    return {"folder": artifact.folder, "method": config["method"], "sources": sources}


STAGE = Stage("select", describe, execute)
