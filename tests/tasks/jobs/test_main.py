"""Jobs in slot processes, and how the parent follows them."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints
from unittest.mock import create_autospec

import pytest

from data.errors import DataError
from tasks.engine.run_job import run_job
from tasks.engine.runtime import Runtime
from tasks.engine.stage import Workplace
from tasks.errors import StageError
from tasks.events import Event
from tasks.execution import slot_runner
from tasks.execution.attempts import Attempt, RetiredError, alone
from tasks.execution.fleet_runner import FleetRunner
from tasks.execution.processes import ChildFailedError
from tasks.execution.progress import Follower
from tasks.execution.slot_runner import SlotRunner
from tasks.execution.slots import Slot, SlotPool, SlotsStoppedError
from tasks.jobs import __main__ as worker
from tasks.jobs.files import read_outcome, write_job
from tasks.outcome import Outcome
from tasks.storage.artifacts import Request
from tasks.subjects import Subject
from tasks.tracking.tracker import MetricRow


@pytest.fixture
def place(runtime: Runtime) -> Workplace:
    request = Request("train", 1, {}, {}, 0, Subject(name="k=3 draw=0: GradMix"))
    folder = runtime.store.work(request)
    (folder / "output").mkdir()
    return Workplace(runtime, request, folder, folder / "output")


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., None]], None]:
    """Replaces the slot's process."""

    def replace(run: Callable[..., None]) -> None:
        monkeypatch.setattr(slot_runner, "run_in_slot", run)

    return replace


@dataclasses.dataclass(frozen=True, kw_only=True)
class Double:
    x: int
    data: Path


def doubled(job: Double, folder: Path) -> Outcome:
    return Outcome({"x": 2 * job.x})


EMPTY = Double(x=0, data=Path("/data"))
DONE: dict[str, Any] = {"summary": {}, "notes": {}, "contents": {}}
JOBS = ("draw", "evaluate", "extract", "features", "pictures", "pseudo_label", "rho_study")
JOBS += ("selection_study", "train")


def line(step: int, accuracy: float = 0.5) -> str:
    figures = {"hyper_validation/accuracy": accuracy}
    return json.dumps({"step": step, "time": 1.8e9 + step, "figures": figures}) + "\n"


# The process.


def test_a_training_that_diverges_is_one_line_with_layer_source_and_step(
    toy, place: Workplace, events: list[Event]
) -> None:
    # The first step's gradients are finite, the weights after it are not.
    job = toy.train_job(learning_rate=1e30)

    with pytest.raises(StageError) as raised:
        run_job(place, "train", job)

    message = str(raised.value)
    assert "\n" not in message
    assert message.startswith("k=3 draw=0: GradMix: step 2: the gradient of S1 in layer ")
    assert "contains NaN or Inf; lower the learning rate" in message
    assert f"[exit code 2; log: {place.folder / 'log.txt'}]" in message
    assert isinstance(raised.value.__cause__, ChildFailedError)
    assert raised.value.__cause__.exit_code == 2
    assert "Traceback" not in (place.folder / "log.txt").read_text()
    # The slot is free again.
    with place.runtime.cores.slots.take():
        pass


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataError("no data."), worker.REJECTED),
        (StageError("no labels."), worker.REJECTED),
        (FloatingPointError("NaN in layer 1."), worker.REJECTED),
        (OSError(28, "No space"), worker.RETRYABLE),
        (ConnectionResetError("reset by peer"), worker.RETRYABLE),
    ],
)
def test_an_expected_error_is_one_line_and_its_code_says_whether_another_try_may_help(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    code: int,
) -> None:
    def fail(job: Double, folder: Path) -> Outcome:
        raise error

    write_job(tmp_path, Double(x=4, data=tmp_path), tmp_path)
    monkeypatch.setattr(worker, "job_named", lambda name: {"train": fail}[name])

    assert worker.main(["train", str(tmp_path), str(tmp_path)]) == code

    assert capsys.readouterr().err == f"{error}\n"
    assert not (tmp_path / "outcome.json").exists()


def test_a_mistake_in_the_code_keeps_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(job: Double, folder: Path) -> Outcome:
        return Outcome({}["missing"])

    write_job(tmp_path, Double(x=4, data=tmp_path), tmp_path)
    monkeypatch.setattr(worker, "job_named", lambda _: mistaken)

    with pytest.raises(KeyError):
        worker.main(["train", str(tmp_path), str(tmp_path)])


def test_a_job_is_read_from_its_folder_and_leaves_its_outcome_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def double(job: Double, folder: Path) -> Outcome:
        assert folder == tmp_path
        return Outcome({"x": 2 * job.x, "data": str(job.data)}, {"seconds": 1.5}, {"a": "b"})

    asker = Path("/home/of/who/asks")
    write_job(tmp_path, Double(x=4, data=asker / "artifacts" / "1"), asker)
    monkeypatch.setattr(worker, "job_named", lambda name: {"label": double}[name])

    assert worker.main(["label", str(tmp_path), "/mnt/home"]) == 0
    # Its paths are those of the home folder that it was started with.
    summary = {"x": 8, "data": "/mnt/home/artifacts/1"}
    assert read_outcome(tmp_path) == Outcome(summary, {"seconds": 1.5}, {"a": "b"})


def test_a_job_of_another_version_is_rejected_by_the_name_of_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "job.json").write_text('{"x": 4, "data": "/a", "rate": 0.1}')
    monkeypatch.setattr(worker, "job_named", lambda _: doubled)

    assert worker.main(["label", str(tmp_path), "/mnt/home"]) == worker.REJECTED
    message = "job.json: expected the 2 keys of Double, found the unknown 'rate'"
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", JOBS)
def test_every_job_takes_one_frozen_dataclass_and_reports_an_outcome(name: str) -> None:
    run = worker.job_named(name)
    kind = worker.inputs_class(run)
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(kind))
    assert get_type_hints(run)["return"] is Outcome


# The parent.


def test_an_outcome_of_an_earlier_attempt_is_not_taken_for_this_one(
    place: Workplace, process
) -> None:
    (place.folder / "outcome.json").write_text(json.dumps(DONE))
    process(lambda *_, **__: None)

    with pytest.raises(FileNotFoundError):
        run_job(place, "label", EMPTY)


def test_what_a_job_says_on_the_way_is_passed_on(
    place: Workplace, process, events: list[Event]
) -> None:
    told: list[MetricRow] = []

    def run(*_: object, poll: Callable[[], None], **__: object) -> None:
        (place.folder / "progress.jsonl").write_text(line(5, 0.5) + line(10, 0.6))
        poll()
        (place.folder / "outcome.json").write_text(json.dumps(DONE))

    process(run)

    outcome = run_job(place, "train", EMPTY, told.extend, steps=20)

    assert outcome == Outcome()
    assert [row.step for row in told] == [5, 10]
    assert [(event.slot, event.step, event.steps) for event in events] == [
        ("cpu:0", 0, 20),
        ("cpu:0", 10, 20),
    ]


def test_a_job_is_a_file_without_a_path_of_this_host(place: Workplace, process) -> None:
    seen: list[str] = []
    process(lambda *_, **__: seen.append((place.folder / "job.json").read_text()))
    home = place.runtime.home

    with pytest.raises(FileNotFoundError):
        run_job(place, "train", Double(x=4, data=home / "artifacts" / "1"))

    assert json.loads(seen[0]) == {"x": 4, "data": "{home}/artifacts/1"}


@pytest.mark.parametrize("on_cores", [False, True])
def test_with_workers_a_job_goes_to_them_unless_it_runs_on_the_cores_here(
    place: Workplace, process, on_cores: bool
) -> None:
    took: list[str] = []

    def finish(where: str) -> None:
        took.append(where)
        (place.folder / "outcome.json").write_text(json.dumps(DONE))

    def on_a_worker(name: str, folder: Path, follower: Follower) -> None:
        assert (name, folder, follower.label) == ("train", place.folder, place.request.label)
        finish("worker")

    workers = create_autospec(FleetRunner, instance=True)
    workers.run.side_effect = on_a_worker
    place.runtime.train = workers
    place.runtime.cores = SlotRunner(place.runtime.home, SlotPool([Slot("core:0")]))
    process(lambda _, slot, **__: finish(slot.name))

    run_job(place, "train", EMPTY, on_cores=on_cores)

    assert took == (["core:0"] if on_cores else ["worker"])


def test_a_job_that_another_attempt_has_taken_over_stops(place: Workplace, process) -> None:
    def run(*_: object, poll: Callable[[], None], **__: object) -> None:
        poll()
        Attempt.begin(place.folder)
        poll()
        pytest.fail("it went on")

    process(run)

    with pytest.raises(RetiredError):
        run_job(place, "train", EMPTY)
    # The slot and the folder are free again.
    with place.runtime.cores.slots.take(), alone(Attempt.begin(place.folder)):
        pass


def test_a_stopped_run_ends_its_trainings(place: Workplace, process) -> None:
    def run(*_: object, poll: Callable[[], None], **__: object) -> None:
        poll()
        place.runtime.stop()
        poll()
        pytest.fail("it went on")

    process(run)

    with pytest.raises(SlotsStoppedError):
        run_job(place, "train", EMPTY)
    with pytest.raises(SlotsStoppedError):
        run_job(place, "train", EMPTY)


def test_a_child_that_fails_is_named_by_the_label(place: Workplace, process) -> None:
    def run(*_: object, log: Path, **__: object) -> None:
        raise ChildFailedError(-9, "", log)

    process(run)

    with pytest.raises(StageError, match=r"^k=3 draw=0: GradMix: .*SIGKILL, out of memory"):
        run_job(place, "train", EMPTY)
