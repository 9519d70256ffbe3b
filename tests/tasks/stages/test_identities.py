"""Identities pinned from commit 349b7d2: a home folder of that version is found by its own.

Where a version since then computes something else, its number or setting is put back first, so that
only the way in which an identity is written down is compared.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data.frames.sampling import Sampling
from tasks.jobs.inputs.streams import BatchSettings
from tasks.jobs.inputs.train import TrainingSettings
from tasks.networks.description import NetworkDescription
from tasks.stages import (
    enlarge,
    evaluate,
    extract,
    features,
    pictures,
    prepare,
    pseudo_label,
    raw_inputs,
    rho_study,
    select,
    selection_study,
    split,
    train,
    weights,
)
from tasks.stages.sources import SourceInput
from tasks.storage.artifacts import Artifact, Request
from tasks.subjects import Subject


def art(name: str, summary: Any = None, document: Any = None) -> Artifact:
    notes = {"run_id": f"run of {name}", "model_id": f"model of {name}"}
    ids = (f"identity of {name}", f"digest of {name}", f"artifacts/{name}")
    return Artifact(name, *ids, {}, summary or {}, notes, document or {})


X = Subject(name="x")
NETWORK = NetworkDescription(
    trunk="convnet",
    settings={"widths": [4, 4], "hidden": 8, "norm": "batch"},
    normalisation="image",
)
HEADS = {"target": ("2", "3"), "S2": ("0", "1")}
CONFIG = {
    "method": "gradmix",
    "settings": {"beta": 5.0, "gamma": 0.4},
    "learning_rate": 0.05,
    "order": {"sources": ["S1", "S2"], "heads": ["target", "S2"]},
    "pseudo": None,
}
FIRST = art("t1", {"accuracy": 0.5, "loss": 1.0}, {"config": CONFIG})
SECOND = art("t2", {"accuracy": 0.6, "loss": 0.9}, {"config": CONFIG})
MEMBER = {
    "identity": "identity of t2",
    "digest": "digest of t2",
    "learning_rate": 0.05,
    "settings": {"beta": 5.0, "gamma": 0.4},
    "folder": "artifacts/t2",
    "method": "gradmix",
    "sources": ["S1", "S2"],
    "accuracy": 0.6,
    "loss": 0.9,
}
TOP = replace(
    art("top", {"members": [MEMBER], "candidates": 2}),
    notes={"runs": ["run of t2"], "models": ["model of t2"], "labels": ["t2"]},
)
SOURCES = (
    SourceInput(name="S1", data=art("s1"), classes=("2", "3"), head="target"),
    SourceInput(name="S2", data=art("s2"), classes=("0", "1"), head="S2"),
)
ROLES = ("hyper_validation", "V", "U")
DIGESTS = dict(zip(ROLES, ("digest of H", "digest of V", "digest of U"), strict=True))
TARGET = art("target", {"dataset": "toy", "split": "train", "content": "c"})
OF_DRAW: dict[str, Any] = {
    "subject": X,
    "target": TARGET,
    "classes": ("2", "3"),
    "split": art("split", {"digests": DIGESTS}),
}
PHOTOS: dict[str, Any] = {
    "subject": X,
    "split": "train",
    "root": Path("/data"),
    "raw": {"files": "b" * 64},
    "partial": False,
    "max_broken": 0.05,
}
TRAINING = train.TrainInputs(
    method="gradmix",
    settings={"beta": 5.0, "gamma": 0.4},
    learning_rate=0.05,
    momentum=0.9,
    network=NETWORK,
    training=TrainingSettings(steps=20, validate_every=5, batch_size=8, v_whole_up_to=64),
    heads=HEADS,
    sources=SOURCES,
    seed=7,
    **OF_DRAW,
)
HARD = train.PseudoSource(labels=art("pseudo", {"agreed": 5}), kind="hard", if_none_agree="stop")
FINAL = replace(
    TRAINING,
    settings={},
    learning_rate=TOP,
    choice=TOP,
    pseudo=HARD,
    enlarged=art("enlarged", {"pseudo": 3}),
)


def steered(inputs: train.TrainInputs) -> Request:
    """The request of GradMix before its rho had one scale and V's pass updated the statistics."""
    request = train.describe(inputs)
    settings = {**request.config["settings"], "v_updates_statistics": False}
    then = {"method_version": 1, "settings": settings}
    return replace(request, config={**request.config, **then})


def unscored(inputs: train.TrainInputs) -> Request:
    """The request before the start of a training was scored."""
    request = train.describe(inputs)
    config = {name: value for name, value in request.config.items() if name != "start"}
    return replace(request, config=config)


REQUESTS = {
    "prepare": lambda: prepare.describe(
        raw_inputs.RawInputs(
            subject=X,
            reader="mnist",
            split="train",
            root=Path("/data"),
            raw={"train-images": "a" * 64},
        )
    ),
    "pictures": lambda: pictures.describe(
        pictures.PicturesInputs(reader="photo_folders", side=32, **PHOTOS)
    ),
    "pictures of frames": lambda: pictures.describe(
        pictures.PicturesInputs(
            **PHOTOS | {"split": "test", "partial": True},
            reader="clip_folders",
            side=32,
            frames=art("frames"),
        )
    ),
    "extract": lambda: extract.describe(
        extract.ExtractInputs(reader="clip_folders", sampling=Sampling(frames=10), **PHOTOS)
    ),
    "weights": lambda: weights.describe(
        weights.WeightsInputs(subject=X, path=Path("/w.pt"), digest="c" * 64)
    ),
    "features": lambda: features.describe(
        features.FeaturesInputs(subject=X, data=TARGET, network=replace(NETWORK, frozen="block1"))
    ),
    "split": lambda: split.describe(
        split.SplitInputs(
            subject=X,
            target=TARGET,
            classes=("2", "3"),
            hyper_validation=10,
            k=2,
            seed=7,
            draw=1,
        )
    ),
    "train gradmix": lambda: steered(TRAINING),
    "train target_only": lambda: train.describe(
        replace(TRAINING, method="target_only", settings={})
    ),
    "train fine_tune": lambda: unscored(
        replace(TRAINING, method="fine_tune", settings={}, initial=TOP)
    ),
    "train final": lambda: steered(FINAL),
    "select": lambda: select.describe(
        select.SelectInputs(subject=X, candidates=(FIRST, SECOND), r=1)
    ),
    "pseudo_label": lambda: pseudo_label.describe(
        pseudo_label.PseudoLabelInputs(
            ensemble=TOP, threshold=0.8, network=NETWORK, heads=HEADS, **OF_DRAW
        )
    ),
    "enlarge": lambda: enlarge.describe(
        enlarge.EnlargeInputs(pseudo=HARD.labels, per_class=10, seed=7, **OF_DRAW)
    ),
    "evaluate": lambda: evaluate.describe(
        evaluate.EvaluateInputs(
            subject=X,
            models={"Joint": FIRST, "GradMix": TOP},
            test=art("test", {"content": "t"}),
            target=TARGET,
            classes=("2", "3"),
            pseudo={"6": HARD.labels},
            network=NETWORK,
            heads=HEADS,
        )
    ),
    "rho_study": lambda: rho_study.describe(
        rho_study.RhoStudyInputs(
            model=TOP,
            training=BatchSettings(batch_size=8, v_whole_up_to=64),
            network=NETWORK,
            heads=HEADS,
            sources=SOURCES,
            seed=7,
            **OF_DRAW,
        )
    ),
    "selection_study": lambda: selection_study.describe(
        selection_study.SelectionStudyInputs(
            cells={"a": FIRST, "b": SECOND},
            evaluation=art("evaluation", {"test": {"a": {"accuracy": 0.5}}}),
            network=NETWORK,
            heads=HEADS,
            seed=7,
            **OF_DRAW,
        )
    ),
}
PINNED = {
    "prepare": (1, "bf64e576153cc93dfc2dbb88a0ebe8e8519f5d4cc40b84146419ab1fd7457a13"),
    "pictures": (1, "93346f5764446406a65a83c47ad83e14d45abc48629f64aa2cbf593c7c600e11"),
    "pictures of frames": (1, "d0e914d781199f179460de11706bffaddf7e45a9108ac4756304d9baad6c4b22"),
    "extract": (1, "cd0da368eafef00439b507b87d58da09adce8571b9d7fc76d76696d6a7597591"),
    "weights": (1, "3672de9bad9076580b3e0893ba37873739e977794c1fe2c8c160076ad2cfa4bd"),
    "features": (1, "6c308ad6a07642379662eace28316373ec6ded196483489f049ac2f068fcbd59"),
    "split": (1, "e1eceaff3f54008226ba14c5bb26604a21a10be2aa7bb4d679ed36ff49544174"),
    "train gradmix": (1, "83fdb11ca127b5424a68101945e43584ef4ba9263aafe508f5f4e09cd5a4ff1d"),
    "train target_only": (1, "ca489bbba9f60bb5d3aaeaa4531054a10c8cbb414eaaa5102865348ce308f920"),
    "train fine_tune": (1, "d944b00698e65980262a8b6a147db0f769ca846f9920b2e13cc9f334baebefee"),
    "train final": (1, "6ca8ad2d1b2d61ee4b10c4f22d2778cbe96af63414b15b7fbf0c5ae9ea1a712d"),
    "select": (2, "b18fc7fad2220d2ac86fcc452ea1f68a077269ea0f0b4816c7cfebe283d388dd"),
    "pseudo_label": (2, "d2ad52c4628bd3383a88677c5cbd89b8e8cfcd3504ba8a74d60f4ba149c9a343"),
    "enlarge": (1, "e66c74b80a20cf74902ba2f058c3573381662d139a8981c296c9cb1efbce70bc"),
    "evaluate": (3, "09aa2b1d2b4eb5697cb290502b1c289d193f56f4938dcd05d4d8f24f0bbec7f0"),
    "rho_study": (2, "ba46732f4f9950668c96d6e2079383ec60cf12f4aaa00b6eab329d0f7a620941"),
    "selection_study": (1, "c176f2bfcdd6e1bdbbfcf616d5fa342c982f103366dd01ac471ea0a823d39494"),
}
"""By stage: version and identity."""


@pytest.mark.parametrize("name", PINNED)
def test_an_identity_is_that_of_349b7d2(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Versions of libraries are part of some.
    monkeypatch.setattr(raw_inputs, "version", lambda _: "1")
    version, identity = PINNED[name]
    assert replace(REQUESTS[name](), version=version).identity == identity
