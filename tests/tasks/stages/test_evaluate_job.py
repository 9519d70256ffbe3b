"""The job that scores models on the sealed test split."""

import dataclasses
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.errors import DataError
from data.reader import RawImages, Samples
from data.tables.prepared import save_prepared
from data.tables.pseudo_labels import read_pseudo_labels, write_pseudo_labels
from data.tables.right_answers import read_right_answers
from gradmix.declarations.methods import METHODS
from gradmix.metrics import score
from gradmix.networks import predict
from tasks.jobs import evaluate as evaluate_job
from tasks.jobs import models as job_models
from tasks.jobs import train as train_job
from tasks.jobs.features import frozen_maps
from tasks.jobs.inputs.evaluate import EvaluateJob
from tasks.jobs.inputs.models import TrainedModel
from tasks.jobs.models import build_network, trained_network
from tasks.networks.description import NetworkDescription
from tests.tasks.given import given
from tests.tasks.stages.constant_models import model


def test_models_are_scored_on_the_target_classes_of_the_test_split(
    toy, job: dict[str, Any], tmp_path: Path
) -> None:
    # A test split of another size for each class: five of "2", three of "3".
    rows = np.concatenate(
        [np.flatnonzero(toy.test.labels != 3), np.flatnonzero(toy.test.labels == 3)[:3]]
    )
    few = RawImages(
        images=toy.test.images[rows],
        labels=toy.test.labels[rows],
        classes=toy.test.classes,
        origin="made here",
        official=False,
    )
    save_prepared(few, tmp_path / "test", sealed=True)

    test = evaluate_job.run(
        given(EvaluateJob, job | {"test": str(tmp_path / "test")}), tmp_path
    ).summary["test"]

    assert list(test) == ["first class", "second class"]
    assert {name: (found["accuracy"], found["n"]) for name, found in test.items()} == {
        "first class": (5 / 8, 8),
        "second class": (3 / 8, 8),
    }
    right = read_right_answers(tmp_path / "output" / "right.parquet")
    first = few.labels[np.isin(few.labels, (2, 3))] == 2
    assert right["first class"].tolist() == first.tolist()
    assert right["second class"].tolist() == (~first).tolist()
    # Cross entropy of logits (m, 0): log(1 + e^-m) for the first class, log(1 + e^m) else.
    right, wrong = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
    assert test["first class"]["loss"] == pytest.approx((5 * right + 3 * wrong) / 8)


def test_frames_are_scored_clip_by_clip_too(toy, job: dict[str, Any], tmp_path: Path) -> None:
    """Clips of 1 and 4 frames of "2", 2 and 3 of "3": the first class is right in half of each."""
    order = np.concatenate([np.flatnonzero(toy.test.labels == label) for label in (2, 3)])
    clips = tuple("abbbbccddd")
    frames = RawImages(
        images=toy.test.images[order],
        labels=toy.test.labels[order],
        classes=toy.test.classes,
        origin="made here",
        official=False,
        samples=Samples(names=tuple(map(str, range(10))), clips=clips, groups=clips),
    )
    save_prepared(frames, tmp_path / "test", sealed=True)
    test = evaluate_job.run(
        given(EvaluateJob, job | {"test": str(tmp_path / "test")}), tmp_path
    ).summary["test"]
    assert {name: (found["clip_accuracy"], found["clips"]) for name, found in test.items()} == {
        "first class": (2 / 4, 4),
        "second class": (2 / 4, 4),
    }
    assert test["first class"]["accuracy"] == 0.5
    right = read_right_answers(tmp_path / "output" / "right.parquet")
    assert right["first class"].tolist() == [True, True, False, False]


def test_photos_are_no_clips(toy, job: dict[str, Any], tmp_path: Path) -> None:
    names = tuple(f"{row}.jpg" for row in range(len(toy.test.labels)))
    photos = dataclasses.replace(toy.test, samples=Samples(names=names, clips=names, groups=names))
    save_prepared(photos, tmp_path / "test", sealed=True)
    test = evaluate_job.run(
        given(EvaluateJob, job | {"test": str(tmp_path / "test")}), tmp_path
    ).summary["test"]
    assert test["first class"].keys() == {"accuracy", "loss", "n"}


def test_classes_in_another_order_are_other_labels(job: dict[str, Any], tmp_path: Path) -> None:
    swapped = {"classes": ["3", "2"], "heads": {**job["heads"], "target": ["3", "2"]}}

    def right(**changes: Any) -> float:
        summary = evaluate_job.run(given(EvaluateJob, job | changes), tmp_path).summary
        found: float = summary["audits"]["3"]["precision"]
        return found

    assert right() == pytest.approx(5 / 6)
    assert right(**swapped) == pytest.approx(1 / 6)


def test_the_audit_counts_right_labels(job: dict[str, Any], tmp_path: Path) -> None:
    audit = evaluate_job.run(given(EvaluateJob, job), tmp_path).summary["audits"]["3"]

    assert audit == {
        "coverage": 6 / 8,
        "precision": pytest.approx(5 / 6),
        "precision_per_class": [1.0, pytest.approx(2 / 3)],
        "count_per_class": [3, 3],
        "soft_accuracy": 6 / 8,
        # All soft labels have the confidence .7, and six of eight are right.
        "calibration": [
            {
                "low": 0.7,
                "high": 0.8,
                "n": 8,
                "confidence": pytest.approx(0.7),
                "accuracy": 6 / 8,
            }
        ],
        # The only member votes as its soft label says.
        "thresholds": [
            {
                "threshold": threshold,
                "agreed": 8 if threshold < 0.7 else 0,
                "coverage": 1.0 if threshold < 0.7 else 0.0,
                "precision": 6 / 8 if threshold < 0.7 else None,
            }
            for threshold in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
        ],
    }


@pytest.mark.parametrize("method", METHODS)
def test_every_methods_model_predicts_as_it_did_in_training(
    toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    made: list[Any] = []
    build = job_models.build_method

    def kept(*arguments: Any) -> Any:
        made.append(build(*arguments))
        return made[-1]

    monkeypatch.setattr(job_models, "build_method", kept)
    reads = METHODS[method].reads_source
    sources = [source for source in toy.job()["source_sets"] if reads(source["head"])]
    training = {"steps": 2, "validate_every": 2, "batch_size": 8, "v_whole_up_to": 64}
    changes = {"settings": {}, "source_sets": sources, "training": training}
    (tmp_path / "output").mkdir()
    train_job.run(toy.train_job(method=method, **changes), tmp_path)

    names = [source["name"] for source in sources]
    images = torch.from_numpy(toy.test.images)
    finished = TrainedModel(folder=tmp_path / "output", method=method, sources=tuple(names))
    job = toy.train_job(method=method, seed=99)
    network = trained_network(job, finished, images, torch.device("cpu"))
    torch.testing.assert_close(predict(network, images), made[0].predict(images), rtol=0, atol=0)


def test_a_frozen_trunk_sees_the_test_images_and_its_models_what_it_makes_of_them(
    toy, job: dict[str, Any], tmp_path: Path
) -> None:
    """One frozen convolution of stride 2: models read maps [16, 16, 5]."""
    module = tmp_path / "frozen_for_a_test.py"
    module.write_text(
        "from torch import nn\n"
        "def make():\n"
        "    first, last = nn.Conv2d(1, 5, 2, 2), nn.Conv2d(5, 3, 3)\n"
        "    return nn.Sequential(first, nn.ReLU(), last, nn.ReLU())\n"
    )
    network = {
        "trunk": "frozen_for_a_test:make",
        "settings": {},
        "normalisation": "image",
        "frozen": "1",
        "weights": None,
        "code": None,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        frozen = {"network": network, "weights": None}
        images = torch.from_numpy(toy.test.images)
        rows = torch.from_numpy(np.flatnonzero(toy.test.labels >= 2))
        described = given(NetworkDescription, network)
        maps = torch.cat([*frozen_maps(described, None, images[rows], torch.device("cpu"))])
        assert maps.shape == (10, 16, 16, 5)
        made = build_network(toy.train_job(network=network), maps, torch.device("cpu"))
        (tmp_path / "made").mkdir()
        torch.save(made.state_dict(), tmp_path / "made" / "model.pt")
        whole = job | frozen | {"models": {"made": model(tmp_path / "made")}}
        test = evaluate_job.run(given(EvaluateJob, whole), tmp_path).summary["test"]
        labels = torch.from_numpy(toy.test.labels)[rows] - 2
        expected = score(partial(predict, made), maps, labels)
    assert test["made"]["loss"] == pytest.approx(expected.loss)
    assert test["made"]["accuracy"] == expected.accuracy


def test_a_model_under_two_names_is_scored_once(
    job: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    load = evaluate_job.trained_network

    def count(job: Any, model: Any, images: Any, device: Any) -> Any:
        loaded.append(str(model.folder))
        return load(job, model, images, device)

    monkeypatch.setattr(evaluate_job, "trained_network", count)
    first, second = job["models"].values()
    models = {"a cell": first, "the row": first, "other": second}
    test = evaluate_job.run(given(EvaluateJob, job | {"models": models}), tmp_path).summary["test"]
    assert loaded == [first["folder"], second["folder"]]
    assert test["a cell"] == test["the row"] != test["other"]


def test_a_class_without_a_label_has_no_precision(toy, job: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "pseudo" / "pseudo_labels.parquet"
    table = read_pseudo_labels(path)
    table.hard_label[:], table.agreed[:] = -1, False
    write_pseudo_labels(table, path)

    audit = evaluate_job.run(given(EvaluateJob, job), tmp_path).summary["audits"]["3"]

    assert (audit["coverage"], audit["precision"]) == (0.0, None)
    assert audit["precision_per_class"] == [None, None]
    assert audit["soft_accuracy"] == 6 / 8


def test_an_open_set_in_place_of_the_test_split_is_refused(
    toy, job: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="Expected a sealed data set"):
        evaluate_job.run(given(EvaluateJob, job | {"test": str(toy.folder / "target")}), tmp_path)


def test_the_test_split_cannot_be_the_audited_training_data(
    toy, job: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="Expected an open data set"):
        evaluate_job.run(given(EvaluateJob, job | {"target": str(toy.folder / "test")}), tmp_path)


# The stage.
