"""Records of the table's rows: how each model was chosen, and how it did."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from data.tables.right_answers import read_right_answers
from flows.experiment.run_spec import RunSpec
from flows.pipeline.futures import Draw
from flows.records.mixing_weights import mean_weights
from flows.records.stage_results import (
    artifact_of,
    hyper_validation_sizes,
    place_of,
    scores_of,
)
from flows.records.trainings import figures_of, settings_of, tested, trainings_of
from gradmix.declarations.methods import method_named
from tasks.codec import decode
from tasks.jobs.inputs.evaluate import RIGHT
from tasks.reporting.records.rows import RowRecord
from tasks.reporting.right_answers import packed
from tasks.storage.artifacts import Artifact


def row_records(spec: RunSpec, draw: Draw, home: Path) -> list[RowRecord]:
    """Records of the rows' models: figures of their training, and test accuracy."""
    test = tested(draw)
    right = {}
    if draw.evaluation is not None:
        right = read_right_answers(home / artifact_of(draw.evaluation).folder / RIGHT)
    return [
        decode(
            RowRecord,
            {
                "row": name,
                "datasets": _datasets(spec, name, chosen),
                **place_of(draw),
                **scores_of(test.get(name)),
                "held_out": _held_out(draw, name),
                "searched": _searched(spec, draw, name),
                "searched_settings": _searched_settings(draw, name),
                "candidates": _candidates(draw, name, chosen),
                "right": packed(right[name]) if name in right else None,
                "weights": mean_weights(home, chosen),
                **figures_of(chosen),
            },
        )
        for name, chosen in trainings_of(draw).items()
    ]


def _candidates(draw: Draw, row: str, chosen: Artifact) -> list[float]:
    """Hyper-validation accuracies of a row's candidates: a search, the grid, or itself."""
    if row in draw.whole:
        return _crossed_candidates(draw, row)
    searched = [artifact_of(future) for future in draw.searches.get(row, [])]
    cells = [artifact_of(future) for future in draw.cells.values()]
    # The first stage's search only finds the rate of its grid.
    among = cells if chosen.identity in {cell.identity for cell in cells} else searched
    return [training.summary["accuracy"] for training in among or [chosen]]


def _crossed_candidates(draw: Draw, row: str) -> list[float]:
    """Accuracy of each choice over all parts of V, counting each label once."""
    counts = [artifact_of(part).summary["counts"]["hyper_validation"] for part in draw.parts]
    found = [artifact_of(future).summary["accuracy"] for future in draw.searches[row]]
    return [
        sum(n * one for n, one in zip(counts, found[i : i + len(counts)], strict=True))
        / sum(counts)
        for i in range(0, len(found), len(counts))
    ]


def with_held_out(rows: Sequence[RowRecord], draws: Sequence[Draw]) -> tuple[RowRecord, ...]:
    """Rows of a stored record, with the number of labels behind their accuracy."""
    known = {(draw.k, draw.draw): draw for draw in draws}
    return tuple(replace(row, held_out=_held_out(known[row.k, row.draw], row.row)) for row in rows)


def _held_out(draw: Draw, row: str) -> int | None:
    """Number of labelled files behind a row's hyper-validation accuracy; None if V was drawn."""
    if draw.drawn:
        return None
    counts = hyper_validation_sizes(draw)
    if row in draw.whole or not draw.parts:
        return sum(counts)
    chosen = artifact_of(draw.rows[row]).summary["members"][0]["identity"]
    place = [artifact_of(cell).identity for cell in draw.cells.values()].index(chosen)
    return counts[place % len(counts)]


def _searched(spec: RunSpec, draw: Draw, row: str) -> list[float]:
    """Learning rates a row was chosen from; none for finals with the first stage's rate."""
    searches = draw.searches.get(row)
    finals = {final.name: final for final in spec.experiment.final}
    inherited = row in finals and not spec.experiment.rates_of(finals[row])
    if searches is None or inherited:
        return []
    # A first stage with one rate has no search before its grid.
    compared = searches or draw.cells.values()
    return sorted({artifact_of(one).document["config"]["learning_rate"] for one in compared})


def _searched_settings(draw: Draw, row: str) -> dict[str, list[Any]]:
    """Settings that differ among a row's candidates, with their values."""
    found = [settings_of(artifact_of(training)) for training in draw.searches.get(row, [])]
    values = {key: [part[key] for part in found] for key in (found[0] if found else ())}
    return {
        key: [value for i, value in enumerate(every) if value not in every[:i]]
        for key, every in values.items()
        if any(value != every[0] for value in every)
    }


def _datasets(spec: RunSpec, row: str, training: Artifact) -> list[str]:
    """Data sets a row's model was trained on, from the methods' declarations."""
    method = method_named(training.document["config"]["method"])
    methods = [method, *([method_named(method.starts_from)] if method.starts_from else [])]
    head_of = spec.experiment.problem.head_of
    names = [
        source.name
        for source in spec.experiment.sources
        if any(part.reads_source(head_of[source.name]) for part in methods)
    ]
    if any(part.uses_target for part in methods):
        names.append("V")
    finals = [final.name for final in spec.experiment.final]
    if row in finals or any(part.uses_unlabelled for part in methods):
        names.append("U")
    return names
