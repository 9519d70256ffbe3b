"""Stage: select the best trainings on hyper-validation."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from data.fingerprint import digest_json
from gradmix.ranking import Candidate, select_top
from tasks.engine.stage import A, Stage, StageInputs, Workplace
from tasks.outcome import Outcome
from tasks.stages.trained_models import member_of
from tasks.storage.artifacts import Artifact, Request


@dataclass(frozen=True, kw_only=True)
class SelectInputs(StageInputs, Generic[A]):
    """Trainings in cell order, and the number to select.

    Attributes:
        candidates: trainings; in cross-fitting, grouped by choice, one per part of V.
        r: number to select.
        parts: in cross-fitting, one split per held-out part of V. Choices are ranked by accuracy
            over all parts, and the members are the best choice's trainings, by part.
    """

    candidates: tuple[A, ...]
    r: int
    parts: tuple[A, ...] = ()


def describe(inputs: SelectInputs) -> Request:
    """The identity depends on the candidates, in cell order, and on R."""
    # Equal results of different settings are different candidates, hence both digests.
    used = {
        f"candidate {i}": digest_json([candidate.identity, candidate.digest])
        for i, candidate in enumerate(inputs.candidates)
    }
    used |= {f"part {i}": part.digest for i, part in enumerate(inputs.parts)}
    return Request("select", 2, {"r": inputs.r}, used, 0, inputs.subject)


def execute(place: Workplace, inputs: SelectInputs) -> Outcome:
    """Rank by hyper-validation accuracy, ties by lower loss, then by cell order."""
    sizes = [part.summary["counts"]["hyper_validation"] for part in inputs.parts] or [1]
    every = inputs.candidates
    choices = [every[i : i + len(sizes)] for i in range(0, len(every), len(sizes))]
    pooled = [_pooled(choice, sizes) for choice in choices]
    top = select_top(
        [
            Candidate(str(i), figures["accuracy"], figures["loss"], i)
            for i, figures in enumerate(pooled)
        ],
        inputs.r,
    )
    chosen = [artifact for candidate in top for artifact in choices[candidate.order]]
    crossed = {"crossed": pooled[top[0].order] | {"n": sum(sizes)}} if inputs.parts else {}
    members = [member_of(artifact) for artifact in chosen]
    (place.output / "members.json").write_text(json.dumps(members, indent=1) + "\n")
    return Outcome(
        {"members": members, "candidates": len(inputs.candidates), **crossed},
        notes={
            "labels": [artifact.label for artifact in chosen],
            "runs": [artifact.notes["run_id"] for artifact in chosen],
            "models": [artifact.notes["model_id"] for artifact in chosen],
        },
    )


def _pooled(parts: Sequence[Artifact], sizes: Sequence[int]) -> dict[str, float]:
    """Figures of a choice over all parts of V, weighted by their samples; steps by part."""
    if len(parts) == 1:
        return {name: parts[0].summary[name] for name in ("accuracy", "loss")}
    mean = {
        name: sum(part.summary[name] * size for part, size in zip(parts, sizes, strict=True))
        / sum(sizes)
        for name in ("accuracy", "loss")
    }
    return mean | {"best_step": sum(part.summary["best_step"] for part in parts) / len(parts)}


STAGE = Stage("select", SelectInputs, describe, execute)
