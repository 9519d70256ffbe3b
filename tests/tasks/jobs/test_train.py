"""One training inside a slot process: results, resume, bytes."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from data.tables.split import Split
from data.tables.split_file import save_split
from gradmix.networks import predict
from gradmix.sampling import Stream
from tasks.jobs import train as train_job
from tasks.jobs.files import PROGRESS
from tasks.jobs.inputs.models import MODEL
from tasks.jobs.inputs.train import CURVE, TrainJob
from tasks.jobs.models import load_model
from tasks.jobs.train import CHECKPOINT
from tasks.outcome import Outcome

RESULTS = (MODEL, CURVE)


def run(job: TrainJob, folder: Path) -> Outcome:
    (folder / "output").mkdir(parents=True, exist_ok=True)
    return train_job.run(job, folder)


def results(folder: Path) -> dict[str, bytes]:
    return {name: (folder / "output" / name).read_bytes() for name in RESULTS}


def progress(folder: Path) -> list[tuple[int, dict[str, float]]]:
    lines = [json.loads(line) for line in (folder / PROGRESS).read_text().splitlines()]
    assert all(line["time"] > 1.7e9 for line in lines)
    return [(line["step"], line["figures"]) for line in lines]


@pytest.fixture(scope="module")
def whole(toy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an uninterrupted training."""
    folder = tmp_path_factory.mktemp("whole")
    run(toy.train_job(), folder)
    return folder


def test_a_training_leaves_its_best_model_and_its_curve(toy, tmp_path: Path) -> None:
    summary = run(toy.train_job(), tmp_path).summary

    curve = json.loads((tmp_path / "output" / CURVE).read_text())
    assert [row["step"] for row in curve] == [5, 10, 15, 20]
    best = max(curve, key=lambda r: (r["hyper_validation/accuracy"], -r["hyper_validation/loss"]))
    assert summary["best_step"] == best["step"]
    assert summary["accuracy"] == best["hyper_validation/accuracy"]
    assert summary["loss"] == best["hyper_validation/loss"]
    assert summary["last_accuracy"] == curve[-1]["hyper_validation/accuracy"]
    assert summary["last_loss"] == curve[-1]["hyper_validation/loss"]
    assert summary["steps"] == 20
    assert summary["samples"] == {"S1": 40, "S2": 40}
    assert progress(tmp_path) == [(row.pop("step"), row) for row in curve]


def test_the_stored_model_scores_what_the_summary_says(toy, tmp_path: Path) -> None:
    summary = run(toy.train_job(), tmp_path).summary
    network = toy.network(seed=99)
    load_model(network, tmp_path / "output")

    rows = toy.split.hyper_validation
    found = predict(network, torch.from_numpy(toy.target.images[rows])).argmax(1)
    # The toy target's classes are "2" and "3".
    right = found.numpy() == toy.target.labels[rows] - 2
    assert right.mean() == summary["accuracy"]


def test_the_model_is_plain_tensors(whole: Path) -> None:
    state = torch.load(whole / "output" / MODEL, weights_only=True)

    assert state["heads.target.weight"].shape == (2, 8)
    assert all(isinstance(value, torch.Tensor) for value in state.values())


def test_the_same_job_gives_the_same_bytes_and_another_seed_others(
    toy, whole: Path, tmp_path: Path
) -> None:
    torch.manual_seed(99)  # what came before does not matter
    run(toy.train_job(), tmp_path / "again")
    run(toy.train_job(seed=8), tmp_path / "other")

    assert results(tmp_path / "again") == results(whole)
    for name, content in results(tmp_path / "other").items():
        assert content != results(whole)[name]


# Interruptions.


class Killed(BaseException):
    """Ends a training as a kill would: no handler runs."""


def interrupt(
    monkeypatch: pytest.MonkeyPatch, job: TrainJob, folder: Path, n: int, *, written: bool
) -> None:
    """Kill a training right after, or right before, its n-th checkpoint is written."""
    save, count = train_job._save, [0]

    def cut(state: dict[str, Any], path: Path) -> None:
        count[0] += 1
        if count[0] < n or written:
            save(state, path)
        if count[0] == n:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(train_job, "_save", cut)
        with pytest.raises(Killed):
            run(job, folder)


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("n", [1, 3, 4])
def test_an_interrupted_training_goes_on_to_the_same_bytes(
    toy, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int, written: bool
) -> None:
    interrupt(monkeypatch, toy.train_job(), tmp_path, n, written=written)
    assert not any((tmp_path / "output").iterdir())
    with (tmp_path / PROGRESS).open("a") as file:
        file.write('{"step": 15, "fig')

    notes = run(toy.train_job(), tmp_path).notes

    assert notes["resumed_from"] == 5 * (n if written else n - 1)
    assert results(tmp_path) == results(whole)
    # No validation twice, none lost, whatever was written first.
    assert progress(tmp_path) == progress(whole)


def test_a_training_may_be_interrupted_again_and_again(
    toy, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        interrupt(monkeypatch, toy.train_job(), tmp_path, 1, written=True)

    assert run(toy.train_job(), tmp_path).notes["resumed_from"] == 15
    assert results(tmp_path) == results(whole)


@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_a_damaged_checkpoint_costs_time_and_nothing_else(
    toy, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: float
) -> None:
    interrupt(monkeypatch, toy.train_job(), tmp_path, 2, written=True)
    content = (tmp_path / CHECKPOINT).read_bytes()
    (tmp_path / CHECKPOINT).write_bytes(content[: int(kept * len(content))])

    assert run(toy.train_job(), tmp_path).notes["resumed_from"] == 0
    assert results(tmp_path) == results(whole)
    assert progress(tmp_path) == progress(whole)


def test_a_checkpoint_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / CHECKPOINT
    train_job._save({"step": 1}, path)

    def half(state: object, file: Any) -> None:
        file.write(b"half")
        raise Killed

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(Killed):
        train_job._save({"step": 2}, path)

    assert torch.load(path, weights_only=True) == {"step": 1}


# What a method does not declare, it does not read.


def test_source_only_never_reads_v(toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    following = Stream.next

    def guarded(stream: Stream) -> Any:
        assert stream.name != "V", "V was read"
        return following(stream)

    monkeypatch.setattr(Stream, "next", guarded)

    run(toy.train_job(method="source_only", settings={}), tmp_path / "source only")

    with pytest.raises(AssertionError, match="V was read"):
        run(toy.train_job(), tmp_path / "control")


def test_source_only_does_not_depend_on_v_and_target_only_does(toy, tmp_path: Path) -> None:
    other_v = toy.split.u[:6]
    assert set(toy.target.labels[other_v]) == {2, 3}
    split = Split(hyper_validation=toy.split.hyper_validation, v=other_v, u=toy.split.v)
    (tmp_path / "split").mkdir()
    save_split(split, tmp_path / "split" / "split.parquet")

    def model(method: str, **changes: Any) -> bytes:
        folder = tmp_path / f"{method}{len(changes)}"
        run(toy.train_job(method=method, settings={}, **changes), folder)
        return (folder / "output" / MODEL).read_bytes()

    other = {"split": str(tmp_path / "split")}
    assert model("source_only") == model("source_only", **other)
    assert model("target_only") != model("target_only", **other)


def test_target_only_needs_no_source(toy, tmp_path: Path) -> None:
    job = toy.train_job(method="target_only", settings={}, source_sets=[])

    assert run(job, tmp_path).summary["samples"] == {}
