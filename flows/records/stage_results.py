"""What a record takes from a finished stage."""

from collections.abc import Mapping
from typing import Any

from flows.pipeline.futures import Draw
from tasks.engine.stage import Future
from tasks.storage.artifacts import Artifact


def artifact_of(future: Future | None) -> Artifact:
    """The artifact of a stage that the outputs needed, once it is finished."""
    assert future is not None, "the pipeline submits every stage that it reports"  # noqa: S101
    return future.result()


def place_of(draw: Draw) -> dict[str, int]:
    """Of which V."""
    return {"k": draw.k, "draw": draw.draw}


def scores_of(scored: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the evaluation says of a model: of images, and of clips if they are frames."""
    scored = scored or {}
    return {
        "test_accuracy": scored.get("accuracy"),
        "test_n": scored.get("n"),
        "test_clip_accuracy": scored.get("clip_accuracy"),
        "test_clips": scored.get("clips"),
    }
