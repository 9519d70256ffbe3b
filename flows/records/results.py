"""Results of finished stages, for the record."""

import json
from dataclasses import dataclass
from pathlib import Path

from flows.experiment.run_spec import RunSpec
from flows.pipeline.futures import Draw, Pipeline
from flows.records.label_results import ensemble_records, pseudo_label_records
from flows.records.row_results import row_records
from flows.records.stage_results import artifact_of, place_of, scores_of
from flows.records.study_results import label_records, source_records
from flows.records.trainings import figures_of, tested, trainings_of
from tasks.codec import decode
from tasks.jobs.inputs.train import CURVE
from tasks.reporting.records.labels import EnsembleRecord, LabelRecord
from tasks.reporting.records.rows import CellRecord, RowRecord
from tasks.reporting.records.studies import (
    CurvePoint,
    CurveRecord,
    RhoRecord,
    SizeStudyRecord,
    StudyRecords,
)
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
    rows = [row for draw in draws for row in row_records(spec, draw, home)]
    return Results(
        # As in the paper, rows without U come first; the sort is stable.
        rows=tuple(sorted(rows, key=lambda row: "U" in row.datasets)),
        cells=tuple(cell for draw in draws for cell in _cells(spec, draw)),
        pseudo_labels=tuple(
            entry for draw in draws for entry in pseudo_label_records(spec, draw, home)
        ),
        ensembles=tuple(entry for draw in draws for entry in ensemble_records(spec, draw)),
        curves=tuple(curve for draw in draws for curve in _curves(spec, draw, home)),
        studies=StudyRecords(
            rho=tuple(part for draw in draws for part in _rho(draw)),
            hyper_validation=tuple(part for draw in draws for part in _sizes(draw)),
            sources=source_records(draws) if "sources" in studies else (),
            labels=label_records([*draws, *stages.more_labels]) if "labels" in studies else (),
        ),
    )


def _cells(spec: RunSpec, draw: Draw) -> list[CellRecord]:
    """Records of all grid cells, with test accuracies if evaluated."""
    top = artifact_of(draw.ensembles[spec.experiment.ensemble.r].top)
    ranked = [member["identity"] for member in top.summary["members"]]
    test = tested(draw)
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
            **figures_of(training),
        }
        cells.append(decode(CellRecord, content))
    return cells


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
