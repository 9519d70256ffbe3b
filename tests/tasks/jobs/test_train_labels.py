"""No training reads labels of the target that it must not: those outside V and hyper-validation."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.tables.enlarged_v import EnlargedV, save_enlarged
from data.tables.image_set import ImageSet, load_prepared
from data.tables.pseudo_labels import Member, PseudoLabels, write_pseudo_labels
from data.tables.split import Split
from data.tables.split_file import save_split
from gradmix.declarations.methods import METHODS, method_named
from tasks.jobs import streams as job_data
from tasks.jobs import train as train_job
from tasks.jobs.inputs.models import MODEL
from tasks.jobs.inputs.train import TrainJob


class GuardedLabels:
    """Labels of which some rows may be read one by one; all else that tensors do is refused."""

    def __init__(self, labels: torch.Tensor, allowed: Iterable[int]) -> None:
        self._labels, self._allowed = labels, set(allowed)
        self.read: set[int] = set()

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, rows: Any) -> torch.Tensor:
        wanted = set(torch.arange(len(self))[rows].reshape(-1).tolist())
        hidden = sorted(wanted - self._allowed)
        assert not hidden, f"target labels of rows {hidden} were read"
        self.read |= wanted
        return self._labels[rows]

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"all target labels were read, by .{name}")


@pytest.fixture
def guard(toy, monkeypatch: pytest.MonkeyPatch) -> list[GuardedLabels]:
    """Guards of the target's labels, one for each time a training loads it."""
    split, guards = toy.split, []

    def load(folder: Path) -> ImageSet:
        images = load_prepared(folder)
        if folder != toy.folder / "target":
            return images
        allowed = [*split.v.tolist(), *split.hyper_validation.tolist()]
        guards.append(GuardedLabels(images.labels, allowed))
        guarded: Any = guards[-1]
        return dataclasses.replace(images, labels=guarded)

    monkeypatch.setattr(train_job, "load_prepared", load)
    monkeypatch.setattr(job_data, "load_prepared", load)
    return guards


def run(toy, folder: Path, method: str, **changes: Any) -> dict[str, Any]:
    """Two steps of a method on the sources that it reads."""
    (folder / "output").mkdir(exist_ok=True)
    training = {"steps": 2, "validate_every": 1, "batch_size": 8, "v_whole_up_to": 64}
    job = toy.train_job(method=method, settings={}, training=training, **changes)
    reads = method_named(method).reads_source
    sources = tuple(source for source in job.source_sets if reads(source.head))
    return dict(train_job.run(dataclasses.replace(job, source_sets=sources), folder).summary)


@pytest.fixture
def initial(toy, tmp_path: Path, name: str) -> str:
    """A model for the method of that name to start from."""
    network = toy.network(method=name)
    (tmp_path / "initial").mkdir()
    torch.save(network.state_dict(), tmp_path / "initial" / MODEL)
    return str(tmp_path / "initial")


@pytest.fixture
def second_stage(toy, tmp_path: Path) -> dict[str, str]:
    """Pseudo-labels of all of U, wrong ones at that, and an enlarged V with two of them."""
    u, v = toy.split.u, toy.split.v
    wrong = 3 - toy.target.labels[u]
    probabilities = np.eye(2, dtype=np.float32)[wrong]
    table = PseudoLabels(
        sample_id=u,
        source=[f"toy:{row}" for row in u],
        hard_label=wrong,
        agreed=np.ones(len(u), dtype=bool),
        min_confidence=np.ones(len(u), dtype=np.float32),
        soft_label=probabilities,
        member_probabilities=np.stack([probabilities, probabilities], axis=1),
        classes=("2", "3"),
        threshold=0.5,
        members=(Member(identity="a"), Member(identity="b")),
        digests={},
    )
    (tmp_path / "pseudo").mkdir()
    write_pseudo_labels(table, tmp_path / "pseudo" / "pseudo_labels.parquet")
    enlarged = EnlargedV(
        sample_id=np.concatenate([v, u[:2]]),
        label=np.concatenate([toy.target.labels[v] - 2, wrong[:2]]),
        pseudo=np.arange(len(v) + 2) >= len(v),
    )
    (tmp_path / "enlarged").mkdir()
    save_enlarged(enlarged, tmp_path / "enlarged")
    return {"pseudo_labels": str(tmp_path / "pseudo"), "enlarged": str(tmp_path / "enlarged")}


@pytest.mark.parametrize("name", METHODS)
def test_a_training_reads_labels_of_v_and_hyper_validation_only(
    toy, guard, initial: str, tmp_path: Path, name: str
) -> None:
    start = initial if METHODS[name].starts_from else None
    assert run(toy, tmp_path, name, initial=start)["steps"] == 2
    assert [g.read for g in guard] == [{*toy.split.v, *toy.split.hyper_validation}]


@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize("name", [n for n in METHODS if n.startswith("gradmix")])
def test_a_training_on_s_u_reads_labels_of_hyper_validation_only(
    toy, guard, second_stage: dict[str, str], tmp_path: Path, name: str, kind: str
) -> None:
    summary = run(toy, tmp_path, name, pseudo=kind, **second_stage)
    assert summary["samples"]["S_u"] == len(toy.split.u) - 2
    assert [g.read for g in guard] == [{*toy.split.hyper_validation}]


# The guard itself.


def test_a_training_that_takes_a_row_of_u_for_v_is_caught(toy, guard, tmp_path: Path) -> None:
    split = toy.split
    leaking = Split(
        hyper_validation=split.hyper_validation,
        v=np.sort(np.append(split.v, split.u[0])),
        u=split.u[1:],
    )
    save_split(leaking, tmp_path / "split.parquet")
    with pytest.raises(AssertionError, match=rf"labels of rows \[{split.u[0]}\] were read"):
        run(toy, tmp_path, "gradmix", split=str(tmp_path))
    assert run(toy, tmp_path, "gradmix")["steps"] == 2


def test_a_training_that_looks_up_labels_of_u_is_caught(
    toy, guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = job_data.hyper_validation

    def leaking(job: TrainJob, target: ImageSet, device: torch.device) -> Any:
        assert len(target.labels[torch.from_numpy(toy.split.u)])
        return following(job, target, device)

    with monkeypatch.context() as patch:
        patch.setattr(train_job, "hyper_validation", leaking)
        with pytest.raises(AssertionError, match=r"labels of rows \[.*\] were read"):
            run(toy, tmp_path, "gradmix")
    assert run(toy, tmp_path, "gradmix")["steps"] == 2


@pytest.mark.parametrize(
    "read",
    [
        lambda labels: labels[2],
        lambda labels: labels[:3],
        lambda labels: labels[-1],
        lambda labels: labels[[0, 3]],
        lambda labels: labels[torch.tensor([False, False, True, False])],
        lambda labels: labels.numpy(),
        lambda labels: labels.to("cpu"),
        list,
    ],
)
def test_every_way_to_a_hidden_label_is_refused(read) -> None:
    labels = GuardedLabels(torch.tensor([5, 6, 7, 8]), allowed=[0, 1])
    assert labels[torch.tensor([1, 0])].tolist() == [6, 5]
    assert labels[:2].tolist() == [5, 6]
    with pytest.raises(AssertionError, match="were read"):
        read(labels)
    assert labels.read == {0, 1}
