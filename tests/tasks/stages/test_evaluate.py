"""Stage evaluate: finished models on the sealed test split, and an audit of the labels."""

import dataclasses
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.errors import DataError
from data.reader import RawImages, Samples
from data.tables.prepared import save_prepared
from data.tables.pseudo_labels import Member, PseudoLabels, read_pseudo_labels, write_pseudo_labels
from data.tables.right_answers import read_right_answers
from gradmix.methods import METHODS
from gradmix.metrics import score
from gradmix.networks import predict
from tasks.engine.runtime import Runtime, use
from tasks.execution import slot_runner as slot_job
from tasks.jobs import __main__ as worker
from tasks.jobs import evaluate as evaluate_job
from tasks.jobs import models as job_models
from tasks.jobs import train as train_job
from tasks.jobs.evaluate import EvaluateJob
from tasks.jobs.features import frozen_maps
from tasks.jobs.models import TrainedModel, build_network, trained_network
from tasks.networks.description import NetworkDescription
from tasks.stages import evaluate
from tasks.stages.trained_models import best
from tasks.storage.artifacts import Artifact
from tests.tasks.given import given

TARGET = {"2": 0, "3": 1}
TRAINED = {"method": "gradmix", "order": {"sources": ["S1", "S2"]}, "pseudo": None}


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


def model(folder: Path) -> dict[str, Any]:
    return {"folder": str(folder), "method": "gradmix", "sources": ["S1", "S2"]}


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
    reads = METHODS[method].method.reads_source
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


@pytest.fixture
def inputs(artifact_of, toy, job: dict[str, Any]) -> dict[str, Any]:
    trained, chosen = job["models"].values()
    members = [
        {"digest": "digest of best", "identity": "i", **chosen},
        {"digest": "digest of second", "identity": "j", **chosen, "folder": "nowhere"},
    ]
    notes = {"runs": ["run of best", "run of second"]}
    return {
        "label": "evaluation",
        "models": {
            "Joint": artifact_of(
                "joint",
                notes={"run_id": "run of joint"},
                folder=trained["folder"],
                document={"config": TRAINED},
            ),
            "GradMix": artifact_of("top", {"members": members}, notes=notes),
        },
        "test": artifact_of("test", {"content": "content of test"}, folder=job["test"]),
        "target": artifact_of("target", folder=job["target"]),
        "pseudo": {"3": artifact_of("pseudo", folder=job["pseudo_labels"]["3"])},
        **{name: job[name] for name in ("classes", "network", "heads")},
    }


def test_models_rows_test_and_labels_decide(inputs: dict[str, Any], artifact_of) -> None:
    def identity(**changes: Any) -> str:
        return evaluate.describe(given(evaluate.EvaluateInputs, inputs | changes)).identity

    models = inputs["models"]
    members, notes = models["GradMix"].summary["members"], models["GradMix"].notes
    other_best = artifact_of("top", {"members": members[::-1]}, notes=notes)
    other_joint = artifact_of("new", notes=models["Joint"].notes, document=models["Joint"].document)
    changes: list[dict[str, Any]] = [
        {},
        {"models": {"Joint": models["Joint"]}},
        {"models": {"joint": models["Joint"], "GradMix": models["GradMix"]}},
        {"models": models | {"Joint": other_joint}},
        {"models": models | {"GradMix": other_best}},
        {"test": artifact_of("new")},
        {"target": artifact_of("new")},
        {"pseudo": {"3": artifact_of("new")}},
        {"pseudo": {"2": inputs["pseudo"]["3"]}},
        {"pseudo": {}},
        {"classes": ["3", "2"]},
        {"network": inputs["network"] | {"trunk": "resnet18"}},
        {"heads": {}},
    ]
    assert len({identity(**change) for change in changes}) == len(changes)
    assert identity(label="b") == identity()
    best_alone = artifact_of("top", {"members": members[:1]}, notes=notes)
    # The other members of a selection are not evaluated.
    assert identity(models=models | {"GradMix": best_alone}) == identity()


def test_a_selection_counts_by_its_best_member(inputs: dict[str, Any], job: dict[str, Any]) -> None:
    joint, gradmix = (best(model) for model in inputs["models"].values())

    trained, chosen = (given(TrainedModel, one) for one in job["models"].values())
    assert (joint.digest, joint.run_id) == ("digest of joint", "run of joint")
    assert (gradmix.digest, gradmix.run_id) == ("digest of best", "run of best")
    home = Path("/elsewhere")  # these folders are absolute
    assert (joint.located(home), gradmix.located(home)) == (trained, chosen)


def test_accuracies_reach_the_models_own_runs(
    runtime: Runtime, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_process(
        command: list[str], slot: object, *, log: Path, cwd: Path, poll: Any, **_: Any
    ) -> None:
        log.touch()
        assert worker.main(command[5:]) == 0

    monkeypatch.setattr(slot_job, "run_in_slot", in_process)
    with use(runtime):
        artifact: Artifact = evaluate.STAGE.perform(given(evaluate.EvaluateInputs, inputs))

    test = artifact.summary["test"]
    assert test["Joint"] == {"accuracy": 0.5, "loss": pytest.approx(1.1269, abs=1e-4), "n": 10}
    assert artifact.summary["audits"]["3"]["coverage"] == 0.75
    calls = runtime.tracker.log_metrics.call_args_list
    assert [call.args[0] for call in calls] == ["run of joint", "run of best"]
    read = [call.args for call in runtime.tracker.log_dataset.call_args_list]
    assert [(run, name, digest) for run, name, digest, *_ in read] == [
        ("run of joint", "test", "content of test"),
        ("run of best", "test", "content of test"),
    ]
    assert [[tuple(row)[:2] for row in call.args[1]] for call in calls] == [
        [(0, {"test/accuracy": 0.5})],
        [(0, {"test/accuracy": 0.5})],
    ]
