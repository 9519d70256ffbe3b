"""Results of finished stages, for the record."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data.tables.right_answers import read_right_answers
from flows.experiment.run_spec import RunSpec
from flows.pipeline.futures import Draw, Ensemble, Pipeline, swept_name
from flows.records.mixing_weights import mean_weights
from flows.records.shown import shown_precision
from flows.records.stage_results import artifact_of, place_of, scores_of
from flows.records.study_results import label_records, source_records
from gradmix.methods import method_named
from tasks.codec import decode
from tasks.engine.stage import Future
from tasks.jobs.evaluate import RIGHT
from tasks.jobs.train import CURVE
from tasks.reporting.records.labels import EnsembleRecord, LabelRecord
from tasks.reporting.records.rows import CellRecord, RowRecord
from tasks.reporting.records.studies import (
    CurvePoint,
    CurveRecord,
    RhoRecord,
    SizeStudyRecord,
    StudyRecords,
)
from tasks.reporting.right_answers import packed
from tasks.storage.artifacts import Artifact

HYPER_VALIDATION = "hyper_validation/"


@dataclass(frozen=True, kw_only=True)
class Results:
    """Results of a reproduction's draws; the fields are those of the record."""

    rows: tuple[RowRecord, ...]
    cells: tuple[CellRecord, ...]
    pseudo_labels: tuple[LabelRecord, ...]
    ensembles: tuple[EnsembleRecord, ...]
    curves: tuple[CurveRecord, ...]
    studies: StudyRecords


def results(spec: RunSpec, stages: Pipeline, home: Path) -> Results:
    """Rows, cells, labels, curves, ensembles and studies of all draws."""
    draws, studies = stages.draws, spec.experiment.outputs.studies
    rows = [row for draw in draws for row in _rows(spec, draw, home)]
    return Results(
        # As in the paper, rows without U come first; the sort is stable.
        rows=tuple(sorted(rows, key=lambda row: "U" in row.datasets)),
        cells=tuple(cell for draw in draws for cell in _cells(spec, draw)),
        pseudo_labels=tuple(entry for draw in draws for entry in _pseudo_labels(spec, draw, home)),
        ensembles=tuple(entry for draw in draws for entry in _swept(spec, draw)),
        curves=tuple(curve for draw in draws for curve in _curves(spec, draw, home)),
        studies=StudyRecords(
            rho=tuple(part for draw in draws for part in _rho(draw)),
            hyper_validation=tuple(part for draw in draws for part in _sizes(draw)),
            sources=source_records(draws) if "sources" in studies else (),
            labels=label_records([*draws, *stages.more_labels]) if "labels" in studies else (),
        ),
    )


def _rows(spec: RunSpec, draw: Draw, home: Path) -> list[RowRecord]:
    """Records of the rows' models: figures of their training, and test accuracy."""
    test = _tested(draw)
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
                **_held_out(draw, name),
                "searched": _searched(spec, draw, name),
                "searched_settings": _searched_settings(draw, name),
                "candidates": _candidates(draw, name, chosen),
                "right": packed(right[name]) if name in right else None,
                "weights": mean_weights(home, chosen),
                **_figures(chosen),
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


def _tested(draw: Draw) -> Mapping[str, Any]:
    """Test scores of every model by name; empty without a test split."""
    if draw.evaluation is None:
        return {}
    scores: Mapping[str, Any] = artifact_of(draw.evaluation).summary["test"]
    return scores


def _held_out(draw: Draw, row: str) -> dict[str, Any]:
    """Number of labels behind a row's hyper-validation accuracy, if V was not drawn."""
    if draw.drawn:
        return {"held_out": None}
    counts = [artifact_of(part).summary["counts"]["hyper_validation"] for part in draw.parts]
    if not counts:
        split = artifact_of(draw.split).summary
        return {"held_out": split["counts"]["hyper_validation"]}
    if row in draw.whole:
        return {"held_out": sum(counts)}
    chosen = artifact_of(draw.rows[row]).summary["members"][0]["identity"]
    place = [artifact_of(cell).identity for cell in draw.cells.values()].index(chosen)
    return {"held_out": counts[place % len(counts)]}


def trainings_of(draw: Draw) -> dict[str, Artifact]:
    """The training of each row: its own, or the best member of its selection."""
    return {name: chosen_training(draw, future) for name, future in draw.rows.items()}


def chosen_training(draw: Draw, model: Future | None) -> Artifact:
    """A training, or the best member of a selection from a draw."""
    found = artifact_of(model)
    if "members" not in found.summary:
        return found
    best = found.summary["members"][0]["identity"]
    searched = [future for futures in draw.searches.values() for future in futures]
    trainings = map(artifact_of, [*searched, *draw.whole.values(), *draw.cells.values()])
    return next(training for training in trainings if training.identity == best)


def _figures(training: Artifact) -> dict[str, Any]:
    config, summary, notes = training.document["config"], training.summary, training.notes
    return {
        "method": config["method"],
        "settings": _settings(training),
        **{name: config[name] for name in ("pseudo", "learning_rate")},
        **{name: summary[name] for name in ("accuracy", "loss", "best_step", "last_accuracy")},
        "steps": summary["steps"],
        **{name: notes[name] for name in ("seconds", "resumed_from", "run_id")},
        "identity": training.identity,
    }


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
    found = [_settings(artifact_of(training)) for training in draw.searches.get(row, [])]
    values = {key: [part[key] for part in found] for key in (found[0] if found else ())}
    return {
        key: [value for i, value in enumerate(every) if value not in every[:i]]
        for key, every in values.items()
        if any(value != every[0] for value in every)
    }


def _settings(training: Artifact) -> dict[str, Any]:
    """All settings of a training's method, including ones newer than its identity."""
    config = training.document["config"]
    return asdict(method_named(config["method"]).config(**config["settings"]))


def _datasets(spec: RunSpec, row: str, training: Artifact) -> list[str]:
    """Data sets a row's model was trained on, from the methods' declarations."""
    method = method_named(training.document["config"]["method"]).method
    methods = [method, *([method_named(method.starts_from).method] if method.starts_from else [])]
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


def _cells(spec: RunSpec, draw: Draw) -> list[CellRecord]:
    """Records of all grid cells, with test accuracies if evaluated."""
    top = artifact_of(draw.ensembles[spec.experiment.ensemble.r].top)
    ranked = [member["identity"] for member in top.summary["members"]]
    test = _tested(draw)
    name = spec.experiment.first_stage.cell_name
    cells = []
    for axes, future in draw.cells.items():
        training = artifact_of(future)
        identity = training.identity
        content = {
            **place_of(draw),
            **vars(axes),
            "rank": ranked.index(identity) + 1 if identity in ranked else None,
            **scores_of(test.get(name(vars(axes)))),
            **_figures(training),
        }
        cells.append(decode(CellRecord, content))
    return cells


def _labels(spec: RunSpec, draw: Draw, r: int, ensemble: Ensemble) -> dict[str, Any]:
    """Audit of an ensemble's labels."""
    pseudo, enlarged = artifact_of(ensemble.pseudo), artifact_of(ensemble.enlarged)
    return {
        **place_of(draw),
        "r": r,
        "threshold": spec.experiment.ensemble.threshold,
        "unlabelled": pseudo.summary["unlabelled"],
        "agreed": pseudo.summary["agreed"],
        "clips": pseudo.summary.get("clips"),
        **_audit(draw, r, pseudo),
        "enlarged_v": enlarged.summary["per_class"],
        "run_id": pseudo.notes["run_id"],
        "shown": None,
    }


def _audit(draw: Draw, r: int, pseudo: Artifact) -> Mapping[str, Any]:
    """Audit of labels against the truth of U; without a truth, only counts."""
    if draw.drawn:
        audit: Mapping[str, Any] = artifact_of(draw.evaluation).summary["audits"][str(r)]
        return audit
    counts = pseudo.summary["per_class"]
    return {
        "coverage": pseudo.summary["agreed"] / pseudo.summary["unlabelled"],
        "precision": None,
        "precision_per_class": [None] * len(counts),
        "count_per_class": counts,
        "soft_accuracy": None,
        "calibration": [],
        "thresholds": [],
    }


def _pseudo_labels(spec: RunSpec, draw: Draw, home: Path) -> list[LabelRecord]:
    """Records of the pseudo-labels that rows are trained with."""
    r = spec.experiment.ensemble.r
    main = draw.ensembles[r]
    if main.pseudo is None:
        return []
    shown = shown_precision(spec.experiment, main, home)
    return [decode(LabelRecord, {**_labels(spec, draw, r, main), "shown": shown})]


def _swept(spec: RunSpec, draw: Draw) -> list[EnsembleRecord]:
    """Labels and final model for each R of figure 4."""
    test = _tested(draw)
    found = []
    for r, ensemble in draw.ensembles.items():
        if ensemble.final is None:
            continue
        final = chosen_training(draw, ensemble.final)
        content = {
            **_labels(spec, draw, r, ensemble),
            **scores_of(test.get(swept_name(r))),
            "accuracy": final.summary["accuracy"],
            "pseudo": final.document["config"]["pseudo"],
            "run_id": final.notes["run_id"],
            "identity": final.identity,
        }
        found.append(decode(EnsembleRecord, content))
    return found


def _curves(spec: RunSpec, draw: Draw, home: Path) -> list[CurveRecord]:
    """Hyper-validation curves of the models compared in figure 3."""
    if 3 not in spec.experiment.outputs.figures:
        return []
    stage = spec.experiment.first_stage
    compared = [row.name for row in spec.experiment.baselines if row.method == "source_only"]
    return [
        CurveRecord(row=name, k=draw.k, draw=draw.draw, points=_points(home, training))
        for name, training in trainings_of(draw).items()
        # A training on all of V has no hyper-validation.
        if name in [*compared, stage.name] and name not in draw.whole
    ]


def _points(home: Path, training: Artifact) -> tuple[CurvePoint, ...]:
    lines = json.loads((home / training.folder / CURVE).read_text("utf-8"))
    return tuple(
        CurvePoint(
            step=int(line["step"]),
            accuracy=line[f"{HYPER_VALIDATION}accuracy"],
            loss=line[f"{HYPER_VALIDATION}loss"],
        )
        for line in lines
    )


def _rho(draw: Draw) -> list[RhoRecord]:
    """The study of rho in one draw, at the start and at the finished model."""
    study = draw.studies.get("rho")
    parts = artifact_of(study).summary["parts"] if study else []
    return [decode(RhoRecord, {**place_of(draw), **part}) for part in parts]


def _sizes(draw: Draw) -> list[SizeStudyRecord]:
    """The study of hyper-validation sizes in one draw."""
    study = draw.studies.get("hyper_validation")
    if study is None:
        return []
    return [decode(SizeStudyRecord, {**place_of(draw), **artifact_of(study).summary})]
