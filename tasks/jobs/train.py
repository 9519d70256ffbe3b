"""The training of one model, as it runs inside a slot process."""

import json
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from data.tables.prepared import load_prepared
from gradmix.training import Training, TrainingConfig, train
from tasks.jobs.models import MODEL, job_method, prepare_device, recipe
from tasks.jobs.streams import hyper_validation, source_streams, target_stream, unlabelled_stream

CHECKPOINT = "checkpoint.pt"
PROGRESS = "progress.jsonl"
CURVE = "curve.json"


def run(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train, from the checkpoint if there is one; leaves model and curve in `output`."""
    device = prepare_device()
    target = load_prepared(Path(job["target"]))
    streams = source_streams(job, target, device)
    method = job_method(job, target.images, [stream.name for stream in streams], device)
    resume = _checkpoint(folder)
    resumed_from = resume["step"] if resume else 0
    progress = _Progress(folder / PROGRESS, resumed_from)
    started = time.monotonic()
    training = train(
        method,
        streams,
        target_stream(job, target, device),
        hyper_validation(job, target, device),
        recipe(TrainingConfig, job["training"]),
        unlabelled=unlabelled_stream(job, target, device) if method.uses_unlabelled else None,
        score_start=job["initial"] is not None,
        resume=resume,
        on_validation=_saver(folder, progress),
    )
    _save(training.best_model, folder / "output" / MODEL)
    curve = json.dumps(training.curve, indent=1) + "\n"
    (folder / "output" / CURVE).write_text(curve, encoding="utf-8")
    return {
        "summary": {
            "accuracy": training.best.accuracy,
            "loss": training.best.loss,
            "best_step": training.best_step,
            "last_accuracy": training.last.accuracy,
            "last_loss": training.last.loss,
            "steps": training.step,
            "samples": {stream.name: len(stream) for stream in streams},
        },
        "notes": {"seconds": time.monotonic() - started, "resumed_from": resumed_from},
    }


def _checkpoint(folder: Path) -> dict[str, Any] | None:
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
        # Damaged on the disk: from the start the training ends with the same bytes.
        return None
    return state


def _save(state: dict[str, Any], path: Path) -> None:
    """Save so that the file is there whole or not at all."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


class _Progress:
    """Validations as JSON lines, for whoever follows the training."""

    def __init__(self, path: Path, resumed_from: int) -> None:
        kept = []
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            # A kill can leave half a line, and lines past the checkpoint will be made again.
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


def _saver(
    folder: Path, progress: _Progress
) -> Callable[[Training, Callable[[], dict[str, Any]]], None]:
    def on_validation(training: Training, state: Callable[[], dict[str, Any]]) -> None:
        # In this order: a line without its checkpoint is made again, a missing one would stay so.
        progress.add(training)
        _save(state(), folder / CHECKPOINT)

    return on_validation
