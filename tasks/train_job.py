"""The training of one model, as it runs inside a slot process."""

import json
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from data.enlarged import load_enlarged
from data.errors import DataError
from data.fingerprint import digest_json
from data.prepared import ImageSet, load_prepared
from data.pseudo_labels import read_pseudo_labels
from data.splits import class_rows, load_split
from gradmix.method import Method, OptimiserConfig
from gradmix.methods import build_method, method_named
from gradmix.networks import DigitNetwork, DigitNetworkConfig
from gradmix.problem import TARGET_HEAD
from gradmix.sampling import Stream, UnlabelledStream
from gradmix.training import HyperValidation, Training, TrainingConfig, train

CHECKPOINT = "checkpoint.pt"
PROGRESS = "progress.jsonl"
MODEL = "model.pt"
CURVE = "curve.json"


def run(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train, from the checkpoint if there is one; leaves model and curve in `output`."""
    device = prepare_device()
    target = load_prepared(Path(job["target"]))
    streams = source_streams(job, target, device)
    method = job_method(job, [stream.name for stream in streams], device)
    resume = _checkpoint(folder)
    resumed_from = resume["step"] if resume else 0
    progress = _Progress(folder / PROGRESS, resumed_from)
    started = time.monotonic()
    training = train(
        method,
        streams,
        target_stream(job, target, device),
        hyper_validation(job, target, device),
        TrainingConfig(
            steps=job["training"]["steps"], validate_every=job["training"]["validate_every"]
        ),
        unlabelled=_unlabelled_stream(job, target, device) if method.uses_unlabelled else None,
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


def prepare_device() -> torch.device:
    """The slot's device; a CPU slot computes with one thread."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    torch.set_num_threads(1)
    return torch.device("cpu")


def build_network(job: dict[str, Any], device: torch.device) -> DigitNetwork:
    """The job's network with weights drawn from its seed."""
    torch.manual_seed(_seed(job, "weights"))
    config = DigitNetworkConfig(**{**job["network"], "widths": tuple(job["network"]["widths"])})
    heads = {name: len(classes) for name, classes in job["heads"].items()}
    return DigitNetwork(config, heads).to(device)


def job_method(job: dict[str, Any], sources: list[str], device: torch.device) -> Method:
    """The job's method on a fresh network, or on the weights that the job starts from."""
    network = build_network(job, device)
    if job["initial"]:
        load_model(network, Path(job["initial"]))
    optimiser = OptimiserConfig(learning_rate=job["learning_rate"], momentum=job["momentum"])
    return build_method(job["method"], network, sources, optimiser, job["settings"])


def trained_network(
    job: dict[str, Any], model: dict[str, Any], device: torch.device
) -> DigitNetwork:
    """The network of a finished training, ready to predict.

    Args:
        job: network and heads, a seed for what is overwritten.
        model: `method`, `sources` and `folder` of the training.
        device: where to put it.
    """
    network = build_network(job, device)
    method_named(model["method"]).method.adapt(network, model["sources"])
    load_model(network, Path(model["folder"]))
    return network


def load_model(network: nn.Module, folder: Path) -> None:
    """Put a finished training's weights into a network."""
    # A model trained on a GPU may be wanted where there is none.
    network.load_state_dict(torch.load(folder / MODEL, map_location="cpu", weights_only=True))


def labels_in(classes: list[str], images: ImageSet, rows: Tensor) -> Tensor:
    """Labels of rows as positions in `classes`."""
    position = torch.full((len(images.classes),), -1)
    for i, name in enumerate(classes):
        position[images.classes.index(name)] = i
    return position[images.labels[rows]]


def source_streams(job: dict[str, Any], target: ImageSet, device: torch.device) -> list[Stream]:
    """The labelled sources, and S_u if there are pseudo-labels."""
    streams = []
    for source in job["source_sets"]:
        images = load_prepared(Path(source["data"]))
        rows = torch.from_numpy(
            class_rows(images.labels.numpy(), images.classes, tuple(source["classes"]))
        )
        labels = labels_in(job["heads"][source["head"]], images, rows)
        streams.append(
            _stream(job, source["name"], images.images[rows], labels, source["head"], device)
        )
    if job["pseudo_labels"]:
        streams.append(_pseudo_stream(job, target, device))
    return streams


def _pseudo_stream(job: dict[str, Any], target: ImageSet, device: torch.device) -> Stream:
    """S_u: hard or soft labels of U, less the samples that moved into the enlarged V."""
    table = read_pseudo_labels(Path(job["pseudo_labels"]) / "pseudo_labels.parquet")
    left = torch.ones(len(table.sample_id), dtype=torch.bool)
    if job["enlarged"]:
        moved = torch.from_numpy(load_enlarged(Path(job["enlarged"])).sample_id)
        left &= ~torch.isin(torch.from_numpy(table.sample_id), moved)
    if job["pseudo"] == "hard":
        left &= torch.from_numpy(table.agreed)
        labels = torch.from_numpy(table.hard_label)[left]
    else:
        labels = torch.from_numpy(table.soft_label)[left]
    if not left.any():
        raise DataError(
            f"expected {job['pseudo']} pseudo-labels for S_u, found none left: the models of the "
            "first stage agree on too little; train them longer, lower ensemble.threshold, or set "
            'ensemble.if_none_agree = "soft".'
        )
    rows = torch.from_numpy(table.sample_id)[left]
    return _stream(job, "S_u", target.images[rows], labels, TARGET_HEAD, device)


def _unlabelled_stream(
    job: dict[str, Any], target: ImageSet, device: torch.device
) -> UnlabelledStream:
    """All of U, without labels."""
    rows = torch.from_numpy(load_split(Path(job["split"]) / "split.parquet").u)
    images = target.images[rows].to(device)
    return UnlabelledStream("U", images, job["training"]["batch_size"], _seed(job, "U"))


def target_stream(job: dict[str, Any], target: ImageSet, device: torch.device) -> Stream:
    """V whole at every step while it is small, else mini-batches."""
    if job["enlarged"]:
        enlarged = load_enlarged(Path(job["enlarged"]))
        rows, labels = torch.from_numpy(enlarged.sample_id), torch.from_numpy(enlarged.label)
    else:
        rows = torch.from_numpy(load_split(Path(job["split"]) / "split.parquet").v)
        labels = labels_in(job["classes"], target, rows)
    return _stream(job, "V", target.images[rows], labels, TARGET_HEAD, device)


def _stream(
    job: dict[str, Any], name: str, images: Tensor, labels: Tensor, head: str, device: torch.device
) -> Stream:
    size = job["training"]["batch_size"]
    if name == "V" and len(labels) <= job["training"]["v_whole_up_to"]:
        size = len(labels)
    return Stream(name, images.to(device), labels.to(device), head, size, _seed(job, name))


def hyper_validation(
    job: dict[str, Any], target: ImageSet, device: torch.device
) -> HyperValidation:
    """The hyper-validation set of the job's split."""
    split = load_split(Path(job["split"]) / "split.parquet")
    rows = torch.from_numpy(split.hyper_validation)
    labels = labels_in(job["classes"], target, rows)
    return HyperValidation(target.images[rows].to(device), labels.to(device))


def _seed(job: dict[str, Any], purpose: str) -> int:
    """A seed of its own for every purpose, the same for every method of a draw."""
    return int(digest_json([job["seed"], purpose])[:15], 16)


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
