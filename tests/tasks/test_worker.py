"""Jobs in slot processes, and how the parent follows them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.errors import DataError
from tasks import slot_job, worker
from tasks.artifacts import Request
from tasks.errors import StageError
from tasks.runtime import Event, Runtime
from tasks.slot_job import run_job
from tasks.slots import ChildFailedError, SlotsStoppedError
from tasks.stage import Workplace
from tasks.tracker import MetricRow


@pytest.fixture
def place(runtime: Runtime) -> Workplace:
    request = Request("train", 1, {}, {}, 0, "k=3 draw=0: GradMix")
    folder = runtime.store.work(request)
    (folder / "output").mkdir()
    return Workplace(runtime, request, folder, folder / "output")


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., None]], None]:
    """Replaces the slot's process."""

    def replace(run: Callable[..., None]) -> None:
        monkeypatch.setattr(slot_job, "run_in_slot", run)

    return replace


def line(step: int, accuracy: float = 0.5) -> str:
    figures = {"hyper_validation/accuracy": accuracy}
    return json.dumps({"step": step, "time": 1.8e9 + step, "figures": figures}) + "\n"


# The process.


def test_a_training_that_diverges_is_one_line_with_layer_source_and_step(
    toy, place: Workplace, events: list[Event]
) -> None:
    # The first step's gradients are finite, the weights after it are not.
    job = toy.job(learning_rate=1e30)

    with pytest.raises(StageError) as raised:
        run_job(place, "train", job)

    message = str(raised.value)
    assert "\n" not in message
    assert message.startswith("k=3 draw=0: GradMix: step 2: the gradient of S1 in layer ")
    assert "holds NaN or Inf; lower the learning rate" in message
    assert f"[exit code 2; log: {place.folder / 'log.txt'}]" in message
    assert isinstance(raised.value.__cause__, ChildFailedError)
    assert raised.value.__cause__.exit_code == 2
    assert "Traceback" not in (place.folder / "log.txt").read_text()
    # The slot is free again.
    with place.runtime.slots.take():
        pass


@pytest.mark.parametrize(
    "error", [DataError("no data."), FloatingPointError("NaN in layer 1."), OSError(28, "No space")]
)
def test_an_expected_error_is_one_line_and_code_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    def fail(job: dict[str, Any], folder: Path) -> dict[str, Any]:
        raise error

    (tmp_path / "job.json").write_text("{}")
    monkeypatch.setattr(worker, "job_named", lambda name: {"train": fail}[name])

    assert worker.main(["train", str(tmp_path)]) == 2

    assert capsys.readouterr().err == f"{error}\n"
    assert not (tmp_path / "outcome.json").exists()


def test_a_mistake_in_the_code_keeps_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "job.json").write_text("{}")
    monkeypatch.setattr(worker, "job_named", lambda _: lambda job, folder: job["missing"])

    with pytest.raises(KeyError):
        worker.main(["train", str(tmp_path)])


def test_a_job_is_read_from_its_folder_and_leaves_its_outcome_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def double(job: dict[str, Any], folder: Path) -> dict[str, Any]:
        assert folder == tmp_path
        return {"summary": {"x": 2 * job["x"]}}

    (tmp_path / "job.json").write_text('{"x": 4}')
    monkeypatch.setattr(worker, "job_named", lambda name: {"label": double}[name])

    assert worker.main(["label", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "outcome.json").read_text()) == {"summary": {"x": 8}}


# The parent.


def test_an_outcome_of_an_earlier_attempt_is_not_taken_for_this_one(
    place: Workplace, process
) -> None:
    (place.folder / "outcome.json").write_text('{"summary": "old"}')
    process(lambda *_, **__: None)

    with pytest.raises(FileNotFoundError):
        run_job(place, "label", {})


def test_new_figures_are_passed_on_once_and_whole(
    place: Workplace, process, events: list[Event]
) -> None:
    told: list[list[MetricRow]] = []
    progress = place.folder / "progress.jsonl"

    def run(*_: object, poll: Callable[[], None], **__: object) -> None:
        poll()  # nothing there yet
        progress.write_text(line(5, 0.5) + line(10, 0.6))
        poll()
        poll()
        whole = line(15, 0.7)
        with progress.open("a") as file:
            file.write(whole[:9])
        poll()
        with progress.open("a") as file:
            file.write(whole[9:])
        poll()
        (place.folder / "outcome.json").write_text('{"summary": {}}')

    process(run)

    outcome = run_job(place, "train", {"training": {"steps": 20}}, told.append)

    assert outcome == {"summary": {}}
    assert [[row.step for row in rows] for rows in told] == [[5, 10], [15]]
    assert told[0][1] == MetricRow(10, {"hyper_validation/accuracy": 0.6}, 1.8e9 + 10)
    assert [(event.step, event.steps, event.accuracy) for event in events] == [
        (0, 20, None),
        (10, 20, 0.6),
        (15, 20, 0.7),
    ]
    assert {(event.label, event.slot) for event in events} == {(place.request.label, "cpu:0")}


def test_a_resumed_training_that_shortens_its_file_loses_no_figure(
    place: Workplace, process
) -> None:
    told: list[MetricRow] = []
    progress = place.folder / "progress.jsonl"
    progress.write_text(line(5) + line(10) + line(15)[:7])

    def run(*_: object, poll: Callable[[], None], **__: object) -> None:
        poll()
        progress.write_text(line(5))
        poll()
        progress.write_text(line(5) + line(10))
        poll()
        progress.write_text(line(5) + line(10) + line(15))
        poll()
        (place.folder / "outcome.json").write_text("{}")

    process(run)
    run_job(place, "train", {}, told.extend)

    assert {row.step for row in told} == {5, 10, 15}
    # What is told twice is equal, and the tracker stores it once.
    assert len({(row.step, row.time_s) for row in told}) == 3


def test_a_stopped_run_ends_its_trainings(place: Workplace, process) -> None:
    def run(*_: object, poll: Callable[[], None], **__: object) -> None:
        poll()
        place.runtime.slots.stop()
        poll()
        pytest.fail("it went on")

    process(run)

    with pytest.raises(SlotsStoppedError):
        run_job(place, "train", {})
    with pytest.raises(SlotsStoppedError):
        run_job(place, "train", {})


def test_a_child_that_fails_is_named_by_the_label(place: Workplace, process) -> None:
    def run(*_: object, log: Path, **__: object) -> None:
        raise ChildFailedError(-9, "", log)

    process(run)

    with pytest.raises(StageError, match=r"^k=3 draw=0: GradMix: .*SIGKILL, out of memory"):
        run_job(place, "train", {})
