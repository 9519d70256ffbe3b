"""The model folder of a reproduction: its champion, usable without the home folder."""

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flows.experiment.run_spec import RunSpec
from flows.pipeline.futures import Draw, Pipeline
from flows.records.champion import Champion, candidates, champion_of, registered_name
from flows.records.provenance import git_commit
from flows.records.stage_results import artifact_of, hyper_validation_sizes, scores_of
from flows.records.stored import MODEL, record_folder
from tasks.codec import decode
from tasks.models.description import Figures, ImageDescription, Lineage
from tasks.models.folder import ModelInputs, Trained, write_model_folder
from tasks.networks.description import NetworkDescription
from tasks.reporting.records.rows import ChampionRecord
from tasks.stages.trained_models import model_of


def champion_record(spec: RunSpec, stages: Pipeline) -> ChampionRecord:
    """Record of the champion."""
    among = candidates(stages.draws)
    best = champion_of(among)
    draw = _draw_of(best, stages)
    scores = _scores(best, draw)
    return ChampionRecord(
        row=best.row,
        k=best.k,
        draw=best.draw,
        accuracy=best.training.summary["accuracy"],
        n=sum(hyper_validation_sizes(draw)),
        test_accuracy=scores["test_accuracy"],
        test_n=scores["test_n"],
        test_clip_accuracy=scores["test_clip_accuracy"],
        test_clips=scores["test_clips"],
        compared=len(among),
        folder=MODEL,
        registered=registered_name(spec),
        identity=best.training.identity,
    )


def write_champion(spec: RunSpec, stages: Pipeline, home: Path, run_id: str) -> Path:
    """Write the champion's model folder next to the record; returns its path.

    Args:
        spec: the run specification.
        stages: its finished stages.
        home: the home folder.
        run_id: the reproduction's MLflow run.
    """
    best = champion_of(candidates(stages.draws))
    folder = record_folder(spec.name, home) / MODEL
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_model_folder(_inputs(spec, stages, best, home, run_id), folder)
    return folder


def _inputs(
    spec: RunSpec, stages: Pipeline, best: Champion, home: Path, run_id: str
) -> ModelInputs:
    document = best.training.document["config"]
    model = model_of(best.training)
    draw = _draw_of(best, stages)
    trained = Trained(
        folder=home / model["folder"],
        method=model["method"],
        sources=tuple(model["sources"]),
        identity=best.training.identity,
        run_id=best.training.notes["run_id"],
    )
    return ModelInputs(
        classes=tuple(spec.experiment.target.classes),
        network=decode(NetworkDescription, document["network"], sparse=True),
        weights=None if spec.raw.weights is None else Path(spec.raw.weights),
        images=image_description(spec),
        members=(trained,),
        lineage=_lineage(spec, stages, best, run_id),
        figures=Figures(
            hyper_validation_accuracy=best.training.summary["accuracy"],
            hyper_validation_loss=best.training.summary["loss"],
            hyper_validation_n=sum(hyper_validation_sizes(draw)),
            **_scores(best, draw),
        ),
    )


def image_description(spec: RunSpec) -> ImageDescription:
    """How files become inputs of an experiment's networks."""
    experiment = spec.experiment
    media = experiment.datasets[experiment.target.dataset].media
    channels, side, _ = experiment.shape
    clips = media == "clips" and experiment.images is not None
    sampling: Mapping[str, int] = experiment.images.sampling if clips and experiment.images else {}
    return ImageDescription(
        side=side,
        channels=1 if channels == 1 else 3,
        media="clips" if clips else "photos",
        frames=sampling.get("frames"),
        every=sampling.get("every"),
    )


def _lineage(spec: RunSpec, stages: Pipeline, best: Champion, run_id: str) -> Lineage:
    commit = git_commit()
    return Lineage(
        gradmix=version("gradmix"),
        git_commit=commit["git_sha"],
        git_dirty=commit["git_dirty"],
        reproduction=spec.name,
        row=best.row,
        k=best.k,
        draw=best.draw,
        run_id=run_id,
        command=spec.request.command,
        data=tuple(
            f"{name} {split}: {artifact_of(future).summary['origin']}"
            for (name, split), future in stages.data.items()
        ),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _draw_of(best: Champion, stages: Pipeline) -> Draw:
    return next(draw for draw in stages.draws if (draw.k, draw.draw) == (best.k, best.draw))


def _scores(best: Champion, draw: Draw) -> Mapping[str, Any]:
    """Scores of the champion on the test split; all None if it has not been opened."""
    test = {} if draw.evaluation is None else artifact_of(draw.evaluation).summary["test"]
    return scores_of(test.get(best.row))
