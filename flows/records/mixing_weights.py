"""Mixing weights of a training, as a record has them."""

import json
from pathlib import Path

from tasks.jobs.train import CURVE
from tasks.storage.artifacts import Artifact

PREFIX = "weight/"
"""Of a curve's figures: `weight/LAYER/SOURCE`, the mean since the validation before."""


def mean_weights(home: Path, training: Artifact) -> dict[str, float]:
    """Mixing weight of every source, mean over layers and validations.

    Empty for a method that does not mix, and where the curve is not kept here.
    """
    path = home / training.folder / CURVE
    found: dict[str, list[float]] = {}
    for line in json.loads(path.read_text("utf-8")) if path.exists() else ():
        for key, value in line.items():
            if key.startswith(PREFIX):
                found.setdefault(key.rpartition("/")[2], []).append(value)
    return {source: sum(values) / len(values) for source, values in found.items()}
