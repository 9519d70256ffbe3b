"""An example record of a reproduction, and a toy world of prepared data for the stages."""

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import av
import numpy as np
import pytest
import torch

from data.digest_cache import KnownDigests
from data.reader import RawImages
from data.tables.prepared import save_prepared
from data.tables.split import Split, split_target
from data.tables.split_file import save_split
from gradmix.declarations.methods import method_named
from gradmix.networks import Network
from tasks.engine.runtime import Runtime
from tasks.events import Event
from tasks.execution.slot_runner import SlotRunner
from tasks.execution.slots import Slot, SlotPool
from tasks.jobs.inputs.train import TrainJob
from tasks.jobs.models import build_network
from tasks.storage.artifacts import Artifact, Store
from tasks.tracking.tracker import Tracker
from tests.tasks.given import given

ACCURACIES = {
    ("Target only", 2): [0.70, 0.72, 0.74],
    ("Target only", 3): [0.75, 0.76, 0.80],
    ("Joint", 2): [0.88, 0.90, 0.89],
    ("Joint", 3): [0.90, 0.90, 0.93],
    ("GradMix", 2): [0.89, 0.90, 0.91],
    ("GradMix", 3): [0.90, 0.92, 0.94],
    ("GradMix hard", 2): [0.95, 0.96, 0.97],
    ("GradMix hard", 3): [0.96, 0.97, 0.98],
}
METHODS = {"Target only": "target_only", "Joint": "joint"}
DATASETS = {"Target only": ["V"], "GradMix hard": ["S1", "S2", "V", "U"]}
GRID = {(5.0, 0.0): 0.80, (5.0, 0.4): 0.84, (10.0, 0.0): 0.86, (10.0, 0.4): 0.90}
RANKS = {0.90: 1, 0.86: 2}


def row(name, k, draw, accuracy):
    first_stage = name.startswith("GradMix")
    return {
        "row": name,
        "method": METHODS.get(name, "gradmix"),
        "datasets": DATASETS.get(name, ["S1", "S2", "V"]),
        "k": k,
        "draw": draw,
        "test_accuracy": accuracy,
        "test_n": 4861,
        "accuracy": accuracy + 0.01,
        "loss": 0.25,
        "best_step": 900 + draw,
        "last_accuracy": accuracy - 0.02,
        "learning_rate": 0.02,
        "searched": [] if first_stage else [0.02, 0.05],
        "settings": {"beta": 10.0, "gamma": 0.4} if first_stage else {},
        "seconds": 40.5,
        "identity": f"identity-{name}-{k}-{draw}",
        "run_id": f"run-{name.replace(' ', '-')}-{k}-{draw}",
    }


def cells(k, draw):
    return [
        {
            "k": k,
            "draw": draw,
            "beta": beta,
            "gamma": gamma,
            "method": "gradmix",
            "settings": {"beta": beta, "gamma": gamma},
            "learning_rate": 0.02,
            "accuracy": accuracy,
            "loss": 0.3,
            "best_step": 800,
            "last_accuracy": accuracy - 0.1,
            "rank": RANKS.get(accuracy),
            "seconds": 30.25,
            "identity": f"cell-{k}-{draw}-{beta}-{gamma}",
            "run_id": f"cell-run-{k}-{draw}-{beta}-{gamma}",
        }
        for (beta, gamma), accuracy in GRID.items()
    ]


def labels(k, draw):
    return {
        "k": k,
        "draw": draw,
        "unlabelled": 1000,
        "agreed": 806,
        "coverage": 0.806,
        "precision": 0.975,
        "precision_per_class": [0.95, 1.0],
        "count_per_class": [406, 400],
        "soft_accuracy": 0.9123,
        "enlarged_v": [100, 100],
        "threshold": 0.8,
        "r": 2,
        "run_id": f"labels-run-{k}-{draw}",
    }


SETTINGS = {
    "datasets": {
        "svhn": {"reader": "svhn", "embedded": "street"},
        "mnist": {"reader": "mnist", "embedded": "handwritten"},
    },
    "target": {"hyper_validation": 1000, "k": [2, 3], "draws": 3},
    "network": {
        "trunk": "convnet",
        "settings": {"widths": [16, 16, 32, 32], "hidden": 128, "norm": "batch"},
        "weights": "none",
        "frozen": "",
    },
    "training": {
        "steps": 1500,
        "validate_every": 100,
        "batch_size": 64,
        "v_whole_up_to": 64,
        "momentum": 0.9,
        "learning_rates": [0.05, 0.02],
    },
    "baselines": [
        {"name": "Target only", "method": "target_only", "settings": {}, "learning_rates": None},
        {"name": "Joint", "method": "joint", "settings": {}, "learning_rates": None},
        {
            "name": "Fine-tune",
            "method": "fine_tune",
            "settings": {},
            "learning_rates": [0.005],
        },
    ],
    "first_stage": {
        "name": "GradMix",
        "method": "gradmix",
        "beta": [5, 10],
        "gamma": [0.0, 0.4],
        "settings": {"solver": "slsqp"},
    },
    "ensemble": {"r": 2, "threshold": 0.8, "enlarged_v": 100},
    "final": [{"name": "GradMix hard", "labels": "hard"}],
}

DATA = [
    {
        "dataset": "svhn",
        "reader": "svhn",
        "split": "train",
        "origin": "SVHN .mat with 8,007 of the official 73,257 rows: not the official split",
        "official": False,
        "samples": 8007,
        "digest": "5" * 64,
        "raw": {"train_32x32.mat": "a" * 64},
    },
    {
        "dataset": "mnist",
        "reader": "mnist",
        "split": "train",
        "origin": "MNIST idx files with 60,000 training rows, the official count",
        "official": True,
        "samples": 60000,
        "digest": "6" * 64,
        "raw": {"train-images-idx3-ubyte": "b" * 64},
    },
]


@pytest.fixture
def record():
    """Two k, three draws, two classes: small enough for sums by hand."""
    pairs = [(k, draw) for k in (2, 3) for draw in range(3)]
    whole = {
        "format": 1,
        "name": "digits-small-3f2a9c01",
        "identity": "3f2a9c01" * 8,
        "run_id": "parent-run",
        "experiment": "digits",
        "title": "SVHN 5-9 + MNIST 0-4 -> MNIST 5-9",
        "scale": "small",
        "seed": 7,
        "command": "gradmix reproduce digits --scale small --data DIR --seed 7",
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T04:04:05+00:00",
        "seconds": 3600.0,
        "git_sha": "c0ffee" * 6 + "c0ff",
        "git_dirty": False,
        "versions": {"python": "3.11.7", "torch": "2.14.1"},
        "hardware": {"cpu": "a cpu", "cores": 2, "memory_gib": 23.5, "slots": ["cpu:0", "cpu:1"]},
        "peak_memory": {"pss_mib": 1500.4, "rss_mib": 2100.6},
        "settings": SETTINGS,
        "data": DATA,
        "rows": [
            row(name, k, draw, values[draw])
            for k, draw in pairs
            for (name, of), values in ACCURACIES.items()
            if of == k
        ],
        "cells": [cell for k, draw in pairs for cell in cells(k, draw)],
        "pseudo_labels": [labels(k, draw) for k, draw in pairs],
        "executed": {"trainings": 60, "cached": 0},
        "paper": {
            "Target only": {"2": [71.35, 1.85], "3": [77.15, 1.36]},
            "GradMix": {"2": [91.17, 0.37], "3": [91.45]},
        },
        "classes": ["5", "6"],
    }
    return copy.deepcopy(whole)


# Bytes are the same on a CPU only.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

TOY_CLASSES = ("0", "1", "2", "3")
TOY_TARGET = ["2", "3"]
TOY_PER_CLASS = 20
TOY_NETWORK = {
    "trunk": "convnet",
    "settings": {"widths": [4, 4, 4, 4], "hidden": 8, "norm": "batch"},
    "normalisation": "image",
    "frozen": "",
    "weights": None,
    "code": None,
}
TOY_MAP_NETWORK = TOY_NETWORK | {"settings": TOY_NETWORK["settings"] | {"hidden": 0}}


def toy_images(*, seed: int, shade: float = 0.0, per_class: int = TOY_PER_CLASS) -> RawImages:
    """Images [N, 32, 32, 1]: a bright bar whose row tells the class; pixel 0 is the row number."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(TOY_CLASSES)), per_class))
    images = rng.normal(60.0 + shade, 20.0, (len(labels), 32, 32, 1))
    for image, label in zip(images, labels, strict=True):
        image[8 * label : 8 * label + 8] += 100.0
    images = images.clip(0, 255).astype(np.uint8)
    images[:, 0, 0, 0] = np.arange(len(labels))
    return RawImages(
        images=images, labels=labels, classes=TOY_CLASSES, origin="made here", official=False
    )


@dataclass(frozen=True)
class Toy:
    """Read only: prepared sets S1, S2, target and the sealed test, a split of the target."""

    folder: Path
    target: RawImages
    test: RawImages
    split: Split

    def job(self, **changes: Any) -> dict[str, Any]:
        """A short training's job, plain JSON; its network ends in a map if the method needs one."""
        method = method_named(changes.get("method", "gradmix"))
        job = {
            "method": "gradmix",
            "settings": {"beta": 5.0, "gamma": 0.4},
            "learning_rate": 0.02,
            "momentum": 0.9,
            "network": TOY_MAP_NETWORK if method.needs_map else TOY_NETWORK,
            "weights": None,
            "training": {"steps": 20, "validate_every": 5, "batch_size": 8, "v_whole_up_to": 64},
            "heads": {"target": TOY_TARGET, "S2": ["0", "1"]},
            "pseudo": None,
            "seed": 7,
            "classes": TOY_TARGET,
            "source_sets": [self.source("S1", TOY_TARGET), self.source("S2", ["0", "1"], "S2")],
            "target": str(self.folder / "target"),
            "split": str(self.folder / "split"),
            "enlarged": None,
            "pseudo_labels": None,
            "initial": None,
        }
        assert changes.keys() <= job.keys()
        return job | changes

    def train_job(self, **changes: Any) -> TrainJob:
        """The same as the job takes it."""
        return given(TrainJob, self.job(**changes))

    def network(self, **changes: Any) -> Network:
        """The network of such a job, before any training."""
        images = torch.from_numpy(self.target.images)
        return build_network(self.train_job(**changes), images, torch.device("cpu"))

    def source(self, name: str, classes: list[str], head: str = "target") -> dict[str, Any]:
        """One entry of `source_sets`."""
        return {"name": name, "data": str(self.folder / name), "classes": classes, "head": head}


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    folder = tmp_path_factory.mktemp("toy")
    for seed, name in enumerate(("S1", "S2")):
        save_prepared(toy_images(seed=seed, shade=30.0), folder / name, sealed=False)
    target, test = toy_images(seed=2), toy_images(seed=3, per_class=5)
    save_prepared(target, folder / "target", sealed=False)
    save_prepared(test, folder / "test", sealed=True)
    split = split_target(
        target.labels, TOY_CLASSES, TOY_TARGET, hyper_validation=8, v_per_class=3, seed=0, draw=0
    )
    (folder / "split").mkdir()
    save_split(split, folder / "split" / "split.parquet")
    return Toy(folder, target, test, split)


def write_film(path: Path, frames: int, shade: int) -> Path:
    """A grey clip of 32 x 24 pixels that turns lighter by two levels a frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for number in range(frames):
            pixels = np.full((24, 32, 3), shade + 2 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def film() -> Callable[..., Path]:
    """Writes a short clip."""
    return write_film


@pytest.fixture
def known() -> KnownDigests:
    return KnownDigests()


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def runtime(tmp_path: Path, events: list[Event]) -> Runtime:
    """A fresh home, one slot, a tracker that takes only calls that the real one would."""
    (tmp_path / "home").mkdir()
    tracker = create_autospec(Tracker, instance=True)
    tracker.start_run.return_value, tracker.log_model.return_value = "run-1", "model-1"
    store = Store(tmp_path / "home")
    here = SlotRunner(store.home, SlotPool([Slot("cpu:0")]))
    return Runtime(store, here, here, tracker, "parent", events.append, scope="toy/demo")


@pytest.fixture(scope="session")
def artifact_of() -> Callable[..., Artifact]:
    """Maker of upstream artifacts whose digest is their name, with folders that need not exist."""

    def make(name: str, summary: Any = None, **others: Any) -> Artifact:
        whole = {"identity": f"identity of {name}", "folder": name, "files": {}, **others}
        return Artifact(label=name, digest=f"digest of {name}", summary=summary or {}, **whole)

    return make
