"""A tiny model folder, made from random networks of the toy world."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.models.description import Figures, ImageDescription, Lineage
from tasks.models.folder import ModelInputs, Trained, write_model_folder
from tasks.networks.description import NetworkDescription
from tests.tasks.given import given

SOURCES = ("S1", "S2")

LINEAGE = Lineage(
    gradmix="0.0.0",
    git_commit="c0ffee",
    git_dirty=False,
    reproduction="toy-demo-12345678",
    row="GradMix",
    k=3,
    draw=0,
    run_id="run",
    command="gradmix reproduce toy",
    data=("S1: made here",),
    made="2026-01-02T03:04:05+00:00",
)
FIGURES = Figures(
    hyper_validation_accuracy=0.75,
    hyper_validation_loss=0.5,
    hyper_validation_n=8,
    test_accuracy=0.5,
    test_n=10,
    test_clip_accuracy=None,
    test_clips=None,
)
GREY_32 = ImageDescription(side=32, channels=1, media="photos", frames=None, every=None)


@pytest.fixture
def model_inputs(toy, tmp_path: Path) -> Callable[..., ModelInputs]:
    """Inputs of a model folder with one random network for each seed."""

    def make(*seeds: int, **changes: Any) -> ModelInputs:
        job = toy.train_job()
        members = []
        for seed in seeds:
            folder = tmp_path / f"training-{seed}"
            folder.mkdir(exist_ok=True)
            torch.save(toy.network(seed=seed).state_dict(), folder / "model.pt")
            members.append(
                Trained(
                    folder=folder,
                    method="gradmix",
                    sources=SOURCES,
                    identity=f"identity-{seed}",
                    run_id=f"run-{seed}",
                )
            )
        inputs = ModelInputs(
            classes=("2", "3"),
            network=given(NetworkDescription, {**vars(job.network)}),
            weights=None,
            images=GREY_32,
            members=tuple(members),
            lineage=LINEAGE,
            figures=FIGURES,
        )
        return replace(inputs, **changes)

    return make


@pytest.fixture
def single(model_inputs: Callable[..., ModelInputs], tmp_path: Path) -> Path:
    """The folder of a model of one network."""
    write_model_folder(model_inputs(1), tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def members(model_inputs: Callable[..., ModelInputs], tmp_path: Path) -> Path:
    """The folder of a model of three."""
    write_model_folder(model_inputs(1, 2, 3), tmp_path / "members")
    return tmp_path / "members"
