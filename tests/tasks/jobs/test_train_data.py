"""One training inside a slot process: what it reads."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.errors import DataError
from data.tables.enlarged_v import EnlargedV, save_enlarged
from data.tables.image_set import load_prepared
from data.tables.pseudo_labels import Member, PseudoLabels, read_pseudo_labels, write_pseudo_labels
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.declarations.training import TrainingConfig
from gradmix.sampling import Images, Stream
from tasks.jobs import train as train_job
from tasks.jobs.inputs.models import MODEL
from tasks.jobs.inputs.train import TrainJob


class CaughtError(Exception):
    """Raised in place of the training."""


class Data:
    """What a training was given."""

    def __init__(
        self, method: Any, streams: list[Stream], v: Stream, held_out: Any, config: Any, **more: Any
    ):
        self.config, self.more = config, more
        self.method, self.streams, self.held_out = method, streams, held_out
        self.unlabelled = more["unlabelled"]
        self.by_name = {stream.name: stream for stream in [*streams, v]}

    def rows(self, name: str) -> list[int]:
        """Row numbers, which the toy images hold in their first pixel."""
        return rows_of(self.by_name[name]._images)

    def labels(self, name: str) -> list[Any]:
        labels: list[Any] = self.by_name[name]._labels.tolist()
        return labels


def rows_of(images: Images) -> list[int]:
    rows: list[int] = images[:][:, 0, 0, 0].tolist()
    return rows


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[TrainJob], Data]:
    """What a job's training is given, without training."""
    seen: list[Data] = []

    def catch(*arguments: Any, **more: Any) -> None:
        seen.append(Data(*arguments, **more))
        raise CaughtError

    def ask(job: TrainJob) -> Data:
        with pytest.raises(CaughtError):
            train_job.run(job, tmp_path)
        return seen[-1]

    monkeypatch.setattr(train_job, "train", catch)
    return ask


def test_sources_and_target_keep_to_their_classes(toy, given) -> None:
    data = given(toy.train_job())

    assert [stream.name for stream in data.streams] == ["S1", "S2"]
    assert data.rows("V") == toy.split.v.tolist()
    assert rows_of(data.held_out.images) == toy.split.hyper_validation.tolist()
    assert {name: stream.head for name, stream in data.by_name.items()} == {
        "S1": "target",
        "S2": "S2",
        "V": "target",
    }
    assert len(data.rows("S1")) == len(data.rows("S2")) == 40
    assert not set(data.rows("V")) & set(rows_of(data.held_out.images))


@pytest.mark.parametrize("order", [["2", "3"], ["3", "2"]])
def test_labels_are_positions_in_the_heads_classes_whatever_the_order_elsewhere(
    toy, given, order: list[str]
) -> None:
    heads = {"target": order, "S2": ["1", "0"]}
    sources = [toy.source("S1", order[::-1]), toy.source("S2", ["0", "1"], "S2")]

    data = given(toy.train_job(classes=order, heads=heads, source_sets=sources))

    def expected(labels: Any, rows: list[int], classes: list[str]) -> list[int]:
        return [classes.index(str(int(labels[row]))) for row in rows]

    held_out = rows_of(data.held_out.images)
    target = toy.target.labels
    assert data.labels("V") == expected(target, data.rows("V"), order)
    assert data.held_out.labels.tolist() == expected(target, held_out, order)
    for name, head in (("S1", "target"), ("S2", "S2")):
        labels = load_prepared(toy.folder / name).labels
        assert data.labels(name) == expected(labels, data.rows(name), heads[head])
        assert set(data.labels(name)) == {0, 1}


def test_v_is_whole_at_every_step_while_it_is_small(toy, given) -> None:
    def sizes(whole_up_to: int) -> dict[str, int]:
        training = {"steps": 1, "validate_every": 1, "batch_size": 2, "v_whole_up_to": whole_up_to}
        data = given(toy.train_job(training=training))
        return {name: len(stream.next().labels) for name, stream in data.by_name.items()}

    assert sizes(64) == {"S1": 2, "S2": 2, "V": 6}
    assert sizes(6) == {"S1": 2, "S2": 2, "V": 6}
    assert sizes(5)["V"] == 2
    assert sizes(1) == {"S1": 2, "S2": 2, "V": 2}


def test_mini_batches_of_u_are_as_large_as_the_method_says(toy, given) -> None:
    def size(method: str) -> int:
        training = {"steps": 1, "validate_every": 1, "batch_size": 2, "v_whole_up_to": 64}
        job = toy.train_job(method=method, settings={}, training=training)
        return len(given(job).unlabelled.next())

    assert size("dctn") == 2
    assert size("adamatch") == 6
    assert given(toy.train_job(method="gradmix", settings={})).unlabelled is None


def test_every_stream_has_a_seed_of_its_own_and_the_same_for_every_method(toy, given) -> None:
    def first(method: str, name: str, **changes: Any) -> list[int]:
        job = toy.train_job(method=method, settings={}, **changes)
        order = torch.randperm(40, generator=given(job).by_name[name]._generator)
        found: list[int] = order.tolist()
        return found

    assert first("gradmix", "S1") == first("joint", "S1")
    assert first("gradmix", "S1") != first("gradmix", "S2")
    assert first("gradmix", "S1") != first("gradmix", "S1", seed=8)


def test_every_method_of_a_draw_starts_from_the_same_weights(toy, given) -> None:
    def weights(**changes: Any) -> torch.Tensor:
        parameters = given(toy.train_job(settings={}, **changes)).method.network.parameters()
        return torch.cat([parameter.detach().flatten() for parameter in parameters])

    assert torch.equal(weights(method="gradmix"), weights(method="joint"))
    assert not torch.equal(weights(method="gradmix"), weights(method="gradmix", seed=8))


def test_fine_tuning_starts_from_the_initial_weights(toy, given, tmp_path: Path) -> None:
    initial = toy.network(seed=99).state_dict()
    torch.save(initial, tmp_path / MODEL)
    job = toy.train_job(method="fine_tune", settings={}, source_sets=[], initial=str(tmp_path))

    state = given(job).method.network.state_dict()

    assert state.keys() == initial.keys()
    for name, value in initial.items():
        assert torch.equal(state[name], value), name


@pytest.mark.parametrize("trained", [True, False])
def test_only_a_training_that_starts_from_a_model_scores_its_start(
    toy, given, tmp_path: Path, trained: bool
) -> None:
    torch.save(toy.network(seed=99).state_dict(), tmp_path / MODEL)
    start = str(tmp_path) if trained else None
    job = toy.train_job(method="fine_tune", settings={}, source_sets=[], initial=start)
    assert given(job).more["score_start"] is trained


def test_the_recipe_reaches_optimiser_loop_and_network(toy, given) -> None:
    recipe = {
        "optimiser": "adamw",
        "weight_decay": 0.01,
        "clip": 2.0,
        "dropout": 0.3,
        "schedule": "cosine",
        "warm_up": 5,
        "average": 0.99,
    }
    plain = toy.job()
    data = given(toy.train_job(training=plain["training"] | recipe))
    assert data.method.optimiser == OptimiserConfig(
        learning_rate=plain["learning_rate"],
        momentum=plain["momentum"],
        optimiser="adamw",
        weight_decay=0.01,
        clip=2.0,
    )
    assert data.config == TrainingConfig(
        steps=20, validate_every=5, schedule="cosine", warm_up=5, average=0.99
    )
    assert data.method.network.dropout.share == 0.3


@pytest.fixture
def pseudo(toy, tmp_path: Path) -> dict[str, Any]:
    """Labels of U: of every three the second is not agreed on; two of the agreed ones are in V."""
    u = toy.split.u
    rng = np.random.default_rng(5)
    members = rng.dirichlet([1.0, 1.0], (len(u), 2)).astype(np.float32)
    agreed = np.arange(len(u)) % 3 != 1
    hard = np.where(agreed, np.arange(len(u)) % 2, -1)
    table = PseudoLabels(
        sample_id=u,
        source=[f"toy:{row}" for row in u],
        hard_label=hard,
        agreed=agreed,
        min_confidence=members[:, 0].max(1),
        soft_label=members.mean(1),
        member_probabilities=members,
        classes=("2", "3"),
        threshold=0.5,
        members=(Member(identity="a"), Member(identity="b")),
        digests={},
    )
    (tmp_path / "pseudo").mkdir()
    write_pseudo_labels(table, tmp_path / "pseudo" / "pseudo_labels.parquet")
    moved = np.flatnonzero(agreed)[[0, 4]]
    v_labels = toy.target.labels[toy.split.v] - 2
    enlarged = EnlargedV(
        sample_id=np.concatenate([toy.split.v, u[moved]]),
        label=np.concatenate([v_labels, hard[moved]]),
        pseudo=np.arange(8) >= 6,
    )
    (tmp_path / "enlarged").mkdir()
    save_enlarged(enlarged, tmp_path / "enlarged")
    return {"table": table, "enlarged": enlarged, "moved": set(u[moved].tolist()), "at": tmp_path}


@pytest.mark.parametrize("enlarged", [True, False])
@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_s_u_is_one_more_source_without_the_samples_that_moved_into_v(
    toy, given, pseudo: dict[str, Any], kind: str, enlarged: bool
) -> None:
    table, at = pseudo["table"], pseudo["at"]
    extra = {"enlarged": str(at / "enlarged")} if enlarged else {}

    data = given(toy.train_job(pseudo_labels=str(at / "pseudo"), pseudo=kind, **extra))

    gone = pseudo["moved"] if enlarged else set()
    kept = [
        i
        for i, row in enumerate(table.sample_id)
        if row not in gone and (kind == "soft" or table.agreed[i])
    ]
    assert [stream.name for stream in data.streams] == ["S1", "S2", "S_u"]
    assert data.method.sources == ("S1", "S2", "S_u")
    assert data.by_name["S_u"].head == "target"
    assert data.rows("S_u") == table.sample_id[kept].tolist()
    labels = table.hard_label if kind == "hard" else table.soft_label
    assert data.labels("S_u") == labels[kept].tolist()
    assert not set(data.rows("S_u")) & set(data.rows("V"))


def test_the_enlarged_v_takes_the_place_of_v(toy, given, pseudo: dict[str, Any]) -> None:
    data = given(toy.train_job(enlarged=str(pseudo["at"] / "enlarged")))

    enlarged = pseudo["enlarged"]
    expected = dict(zip(enlarged.sample_id.tolist(), enlarged.label.tolist(), strict=True))
    assert dict(zip(data.rows("V"), data.labels("V"), strict=True)) == expected
    assert len(data.rows("V")) == 8


@pytest.mark.parametrize(("kind", "samples"), [("hard", 15), ("soft", 24)])
def test_a_final_training_runs_on_all_of_it(
    toy, tmp_path: Path, pseudo: dict[str, Any], kind: str, samples: int
) -> None:
    labels, enlarged = str(tmp_path / "pseudo"), str(tmp_path / "enlarged")
    (tmp_path / "output").mkdir()

    job = toy.train_job(pseudo_labels=labels, pseudo=kind, enlarged=enlarged)
    summary = train_job.run(job, tmp_path).summary

    assert summary["samples"] == {"S1": 40, "S2": 40, "S_u": samples}


def test_no_hard_label_ends_the_training_with_what_to_do(
    toy, tmp_path: Path, pseudo: dict[str, Any]
) -> None:
    path = pseudo["at"] / "pseudo" / "pseudo_labels.parquet"
    table = read_pseudo_labels(path)
    table.hard_label[:], table.agreed[:] = -1, False
    write_pseudo_labels(table, path)

    job = toy.train_job(pseudo_labels=str(path.parent), pseudo="hard")
    with pytest.raises(DataError, match=r'found none left: .* ensemble\.if_none_agree = "soft"'):
        train_job.run(job, tmp_path)
    (tmp_path / "output").mkdir()
    soft = train_job.run(dataclasses.replace(job, pseudo="soft"), tmp_path)
    assert soft.summary["samples"]["S_u"] > 0
