"""Shared by the tests of stages: a scored job on toy data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.tables.pseudo_labels import Member, PseudoLabels, write_pseudo_labels
from tests.tasks.stages.constant_models import model


@pytest.fixture
def constant_model(toy, tmp_path: Path) -> Callable[[str, float], Path]:
    """Maker of a model's folder that gives every image logits (margin, 0)."""

    def make(name: str, margin: float) -> Path:
        network = toy.network()
        with torch.no_grad():
            for parameter in network.heads["target"].parameters():
                parameter.zero_()
            network.heads["target"].bias[0] = margin
        (tmp_path / name).mkdir()
        torch.save(network.state_dict(), tmp_path / name / "model.pt")
        return tmp_path / name

    return make


@pytest.fixture
def audited(toy, tmp_path: Path) -> Path:
    """Eight samples of U: true classes 2 2 2 2 3 3 3 3, hard labels 0 0 0 1 1 1 - -."""
    truth = toy.target.labels[toy.split.u]
    rows = np.concatenate([toy.split.u[truth == 2][:4], toy.split.u[truth == 3][:4]])
    hard = np.array([0, 0, 0, 1, 1, 1, -1, -1])
    # Right everywhere but in the second and the last row.
    likely = np.array([0, 1, 0, 0, 1, 1, 1, 0])
    soft = np.where(np.arange(2) == likely[:, None], 0.7, 0.3).astype(np.float32)
    table = PseudoLabels(
        sample_id=rows,
        source=[str(row) for row in rows],
        hard_label=hard,
        agreed=hard >= 0,
        min_confidence=soft.max(1),
        soft_label=soft,
        member_probabilities=soft[:, None],
        classes=("2", "3"),
        threshold=0.6,
        members=(Member(identity="a"),),
        digests={},
    )
    (tmp_path / "pseudo").mkdir()
    write_pseudo_labels(table, tmp_path / "pseudo" / "pseudo_labels.parquet")
    return tmp_path / "pseudo"


@pytest.fixture
def job(toy, audited: Path, constant_model) -> dict[str, Any]:
    whole = toy.job()
    return {
        **{name: whole[name] for name in ("network", "heads", "classes", "target")},
        "seed": 0,
        "weights": None,
        "test": str(toy.folder / "test"),
        "pseudo_labels": {"3": str(audited)},
        "models": {
            "first class": model(constant_model("first", 2.0)),
            "second class": model(constant_model("second", -1.0)),
        },
    }
