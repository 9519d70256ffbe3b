"""Finished models on the sealed test split, as they are scored inside a slot process."""

from functools import partial
from pathlib import Path
from typing import Any

import torch

from data.prepared import load_prepared
from data.pseudo_labels import read_pseudo_labels
from data.sealed import open_sealed_test
from data.splits import class_rows
from gradmix.metrics import score
from gradmix.networks import predict
from tasks.train_job import build_network, labels_in, load_model, prepare_device


def run(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Score every model once; audits the pseudo-labels against the true labels of U."""
    del folder
    device = prepare_device()
    test = open_sealed_test(Path(job["test"]))
    rows = torch.from_numpy(class_rows(test.labels.numpy(), test.classes, tuple(job["classes"])))
    images, labels = test.images[rows].to(device), labels_in(job["classes"], test, rows).to(device)
    network = build_network(job, device)
    scores = {}
    for name, model in job["models"].items():
        load_model(network, Path(model))
        scores[name] = vars(score(partial(predict, network), images, labels))
    return {"summary": {"test": scores, "audit": _audit(job)}}


def _audit(job: dict[str, Any]) -> dict[str, Any]:
    """How many of the hard pseudo-labels are right; decides nothing, it comes after selection."""
    table = read_pseudo_labels(Path(job["pseudo_labels"]) / "pseudo_labels.parquet")
    target = load_prepared(Path(job["target"]))
    truth = labels_in(job["classes"], target, torch.from_numpy(table.sample_id))
    hard, agreed = torch.from_numpy(table.hard_label), torch.from_numpy(table.agreed)
    right = hard == truth
    given = [hard == label for label in range(len(job["classes"]))]
    return {
        "coverage": float(agreed.float().mean()),
        "precision": _mean(right[agreed]),
        "precision_per_class": [_mean(right[mask]) for mask in given],
        "count_per_class": [int(mask.sum()) for mask in given],
        "soft_accuracy": _mean(torch.from_numpy(table.soft_label).argmax(1) == truth),
    }


def _mean(mask: torch.Tensor) -> float | None:
    """Share of true entries; None of an empty mask."""
    return float(mask.float().mean()) if len(mask) else None
