"""Mixing weights of a training, for the record."""

import json
from pathlib import Path

from tasks.jobs.inputs.train import CURVE
from tasks.storage.artifacts import Artifact

PREFIX = "weight/"
"""Prefix of a curve's figures `weight/LAYER/SOURCE`, means since the previous validation."""


def mean_weights(home: Path, training: Artifact) -> dict[str, float]:
    """Mean mixing weight of each source, over layers and validations.

    Empty for methods that do not mix, or if the curve is not available locally.
    """
    path = home / training.folder / CURVE
    found: dict[str, list[float]] = {}
    for line in json.loads(path.read_text("utf-8")) if path.exists() else ():
        for key, value in line.items():
            if key.startswith(PREFIX):
                found.setdefault(key.rpartition("/")[2], []).append(value)
    return {source: sum(values) / len(values) for source, values in found.items()}
