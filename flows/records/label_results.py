"""Records of pseudo-labels, and of the final models trained on them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.experiment.run_spec import RunSpec
from flows.pipeline.futures import Draw, Ensemble, swept_name
from flows.records.shown import shown_precision
from flows.records.stage_results import artifact_of, place_of, scores_of
from flows.records.trainings import chosen_training, tested
from tasks.codec import decode
from tasks.reporting.records.labels import EnsembleRecord, LabelRecord
from tasks.storage.artifacts import Artifact


def pseudo_label_records(spec: RunSpec, draw: Draw, home: Path) -> list[LabelRecord]:
    """Records of the pseudo-labels that rows are trained with."""
    r = spec.experiment.ensemble.r
    main = draw.ensembles[r]
    if main.pseudo is None:
        return []
    shown = shown_precision(spec.experiment, main, home)
    return [decode(LabelRecord, {**_labels(spec, draw, r, main), "shown": shown})]


def ensemble_records(spec: RunSpec, draw: Draw) -> list[EnsembleRecord]:
    """Labels and final model for each R of figure 4."""
    test = tested(draw)
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
