"""Stage: the best trainings on hyper-validation."""

import json
from dataclasses import dataclass
from typing import Generic

from data.fingerprint import digest_json
from gradmix.ensembling import Candidate, select_top
from tasks.engine.stage import A, Stage, StageInputs, Workplace
from tasks.outcome import Outcome
from tasks.stages.trained_models import member_of
from tasks.storage.artifacts import Request


@dataclass(frozen=True, kw_only=True)
class SelectInputs(StageInputs, Generic[A]):
    """Trainings, in cell order, and how many of them are chosen."""

    candidates: tuple[A, ...]
    r: int


def describe(inputs: SelectInputs) -> Request:
    """The identity depends on the candidates, in cell order, and on R."""
    # Equal results of different settings are different candidates, hence both digests.
    used = {
        f"candidate {i}": digest_json([candidate.identity, candidate.digest])
        for i, candidate in enumerate(inputs.candidates)
    }
    return Request("select", 2, {"r": inputs.r}, used, 0, inputs.subject)


def execute(place: Workplace, inputs: SelectInputs) -> Outcome:
    """Rank by hyper-validation accuracy, ties by lower loss, then by cell order."""
    top = select_top(
        [
            Candidate(str(i), artifact.summary["accuracy"], artifact.summary["loss"], i)
            for i, artifact in enumerate(inputs.candidates)
        ],
        inputs.r,
    )
    chosen = [inputs.candidates[candidate.order] for candidate in top]
    members = [member_of(artifact) for artifact in chosen]
    (place.output / "members.json").write_text(json.dumps(members, indent=1) + "\n")
    return Outcome(
        {"members": members, "candidates": len(inputs.candidates)},
        notes={
            "labels": [artifact.label for artifact in chosen],
            "runs": [artifact.notes["run_id"] for artifact in chosen],
            "models": [artifact.notes["model_id"] for artifact in chosen],
        },
    )


STAGE = Stage("select", SelectInputs, describe, execute)
