"""Values of finished stages for the record."""

from collections.abc import Mapping
from typing import Any

from flows.pipeline.futures import Draw
from tasks.engine.stage import Future
from tasks.storage.artifacts import Artifact


def artifact_of(future: Future | None) -> Artifact:
    """Artifact of a stage required for the outputs, once finished."""
    assert future is not None, "the pipeline submits every stage that it reports"  # noqa: S101
    return future.result()


def place_of(draw: Draw) -> dict[str, int]:
    """The k and draw of a V."""
    return {"k": draw.k, "draw": draw.draw}


def hyper_validation_sizes(draw: Draw) -> list[int]:
    """Number of images, or clips, that each part of V holds out; of V itself without parts.

    Clips rather than their frames, which are too alike to count as independent labels.
    """
    splits = [artifact_of(part).summary for part in draw.parts or [draw.split]]
    counts = [split["clips"] if "clips" in split else split["counts"] for split in splits]
    return [count["hyper_validation"] for count in counts]


def scores_of(scored: Mapping[str, Any] | None) -> dict[str, Any]:
    """Test scores of a model, on images, and on clips in the case of frames."""
    scored = scored or {}
    return {
        "test_accuracy": scored.get("accuracy"),
        "test_n": scored.get("n"),
        "test_clip_accuracy": scored.get("clip_accuracy"),
        "test_clips": scored.get("clips"),
    }
