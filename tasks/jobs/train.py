"""Job: train one model."""

import json
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from data.atomic import replacing
from data.tables.image_set import load_prepared
from gradmix.training import Training, train
from tasks.jobs.files import PROGRESS
from tasks.jobs.inputs.models import MODEL
from tasks.jobs.inputs.train import CURVE, TrainJob
from tasks.jobs.models import job_method, prepare_device
from tasks.jobs.streams import hyper_validation, source_streams, target_stream, unlabelled_stream
from tasks.outcome import Outcome

State = dict[str, Any]
"""State of a training, as saved by torch."""

CHECKPOINT = "checkpoint.pt"


def run(job: TrainJob, folder: Path) -> Outcome:
    """Train, from the checkpoint if there is one; writes model and curve to `output`."""
    device = prepare_device()
    target = load_prepared(job.target)
    streams = source_streams(job, target, device)
    names = [stream.name for stream in streams]
    method = job_method(job, target.images, names, device, job.training, job.initial)
    resume = _checkpoint(folder)
    resumed_from = resume["step"] if resume else 0
    progress = _Progress(folder / PROGRESS, resumed_from)
    unlabelled = None
    if method.declaration.uses_unlabelled:
        ratio = method.declaration.unlabelled_ratio
        unlabelled = unlabelled_stream(job, target, device, ratio)
    started = time.monotonic()
    held_out = hyper_validation(job, target, device)
    training = train(
        method,
        streams,
        target_stream(job, target, device),
        held_out,
        job.training.loop,
        unlabelled=unlabelled,
        score_start=job.initial is not None,
        resume=resume,
        on_validation=_saver(folder, progress),
    )
    _save(training.best_model, folder / "output" / MODEL)
    curve = json.dumps(training.curve, indent=1) + "\n"
    (folder / "output" / CURVE).write_text(curve, encoding="utf-8")
    return Outcome(
        {
            **_figures(job, training),
            "best_step": training.best_step,
            "steps": training.step,
            "samples": {stream.name: len(stream) for stream in streams},
        },
        {"seconds": time.monotonic() - started, "resumed_from": resumed_from},
    )


def _figures(job: TrainJob, training: Training) -> dict[str, float]:
    """Accuracy and loss at the best and last step; cross-fitted if nothing is held out."""
    if job.crossed is not None:
        accuracy, loss = job.crossed
        figures = {"accuracy": accuracy, "loss": loss}
        return {**figures, **{f"last_{name}": figure for name, figure in figures.items()}}
    best, last = training.best, training.last
    return {
        "accuracy": best.accuracy,
        "loss": best.loss,
        "last_accuracy": last.accuracy,
        "last_loss": last.loss,
    }


def _checkpoint(folder: Path) -> State | None:
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        state: State = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
        # Damaged on disk: training from the start gives the same bytes.
        return None
    return state


def _save(state: State, path: Path) -> None:
    """Save atomically."""
    # Given a path, torch would write its name into the file, so equal states would differ.
    with replacing(path) as temporary, temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()


class _Progress:
    """Validations as JSON lines, for the process that follows the training."""

    def __init__(self, path: Path, resumed_from: int) -> None:
        kept = []
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            # A kill can leave a partial line, and lines past the checkpoint will be written again.
            whole = [line for line in lines if line.endswith("\n")]
            kept = [line for line in whole if json.loads(line)["step"] <= resumed_from]
        path.write_text("".join(kept), encoding="utf-8")
        self._path = path

    def add(self, training: Training) -> None:
        row = dict(training.curve[-1])
        line = {"step": training.step, "time": time.time(), "figures": row}
        del row["step"]
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _saver(folder: Path, progress: _Progress) -> Callable[[Training, Callable[[], State]], None]:
    def on_validation(training: Training, state: Callable[[], State]) -> None:
        # Order matters: a line without a checkpoint is written again, but not the reverse.
        progress.add(training)
        _save(state(), folder / CHECKPOINT)

    return on_validation
