"""Results of the studies of sources and of labels, for the record."""

from collections.abc import Sequence
from typing import Any

from flows.pipeline.futures import ALL_SOURCES, Draw
from flows.pipeline.studies import compared_models
from flows.records.stage_results import artifact_of, place_of, scores_of
from tasks.codec import decode
from tasks.reporting.records.studies import LabelsRecord, SourceRecord


def source_records(draws: Sequence[Draw]) -> tuple[SourceRecord, ...]:
    """Results of the middle cell with all sources, and without each."""
    return tuple(
        decode(SourceRecord, {"left_out": left_out, **_model(draw, name)})
        for draw in draws
        for name, left_out in [
            (ALL_SOURCES, None),
            *((f"without {source}", source) for source in draw.without),
        ]
    )


def label_records(draws: Sequence[Draw]) -> tuple[LabelsRecord, ...]:
    """Results of the middle cell for each k, ascending."""
    found = [
        decode(
            LabelsRecord,
            {"labels": artifact_of(draw.split).summary["counts"]["V"], **_model(draw, ALL_SOURCES)},
        )
        for draw in draws
    ]
    return tuple(sorted(found, key=lambda one: (one.k, one.draw)))


def _model(draw: Draw, name: str) -> dict[str, Any]:
    """A study's model: its draw and its scores."""
    chosen = artifact_of(compared_models(draw)[name])
    test = artifact_of(draw.evaluation).summary["test"]
    member = chosen.summary["members"][0] if "members" in chosen.summary else None
    return {
        **place_of(draw),
        **scores_of(test[name]),
        "accuracy": member["accuracy"] if member else chosen.summary["accuracy"],
        "identity": member["identity"] if member else chosen.identity,
    }
