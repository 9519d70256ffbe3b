"""Stages: executed once, found again, never half done."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.engine.mlflow_run import flattened, tracked_run
from tasks.engine.runtime import Runtime, current, use
from tasks.engine.stage import Stage, StageInputs, Workplace
from tasks.errors import StageError
from tasks.events import Event
from tasks.execution.slots import SlotsStoppedError
from tasks.outcome import Outcome
from tasks.storage.artifacts import Artifact, Request
from tasks.subjects import Subject


@dataclass(frozen=True, kw_only=True)
class Inputs(StageInputs):
    x: int


def given(label: str, x: int) -> Inputs:
    return Inputs(subject=Subject(name=label), x=x)


def describe(inputs: Inputs) -> Request:
    return Request("double", 1, {"x": inputs.x}, {}, 0, inputs.subject)


def double(place: Workplace, inputs: Inputs) -> Outcome:
    (place.output / "double.txt").write_text(str(2 * inputs.x))
    return Outcome({"double": 2 * inputs.x}, {"run_id": f"run of {inputs.subject.label}"})


def stage(execute: Callable[[Workplace, Inputs], Outcome] = double) -> Stage[Inputs]:
    return Stage("double", Inputs, describe, execute)


def executions(runtime: Runtime) -> list[dict[str, object]]:
    path = runtime.home / "executions.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def files_under(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def states(events: list[Event]) -> list[str]:
    return [event.state for event in events]


def test_what_is_reported_already_is_not_reported_again(
    runtime: Runtime, events: list[Event]
) -> None:
    with use(runtime):
        first = stage().perform(given("a", 4), already_reported=True)
        again = stage().perform(given("again", 4), already_reported=True)

    assert first == again
    # An execution is reported in any case.
    assert states(events) == ["running", "finished"]


def test_a_stage_is_executed_once_and_then_found(runtime: Runtime, events: list[Event]) -> None:
    with use(runtime):
        first = stage().perform(given("a", 4))
        again = stage().perform(given("again", 4))
        other = stage().perform(given("b", 5))

    assert first == again
    assert first.summary == {"double": 8}
    assert first.notes == {
        "run_id": "run of a",
        "scope": "toy/demo",
        "subject": {"name": "a", "k": None, "draw": None, "settings": []},
    }
    assert (runtime.home / first.folder / "double.txt").read_text() == "8"
    assert [line["identity"] for line in executions(runtime)] == [first.identity, other.identity]
    assert [line["label"] for line in executions(runtime)] == ["a", "b"]
    assert states(events) == ["running", "finished", "cached", "running", "finished"]
    # The news is told under the label that was asked for.
    assert [event.label for event in events] == ["a", "a", "again", "b", "b"]
    assert events[1].artifact == events[2].artifact == first


def test_a_damaged_artifact_is_made_again(runtime: Runtime, events: list[Event]) -> None:
    with use(runtime):
        first = stage().perform(given("a", 4))
        (runtime.home / first.folder / "double.txt").write_text("9")
        again = stage().perform(given("a", 4))

    assert again == first
    assert (runtime.home / first.folder / "double.txt").read_text() == "8"
    assert len(executions(runtime)) == 2
    assert states(events) == ["running", "finished"] * 2


def test_threads_that_ask_for_one_identity_execute_it_once(
    runtime: Runtime, events: list[Event]
) -> None:
    started = threading.Barrier(4)
    others_wait = threading.Event()
    results: list[Artifact] = []

    def slow(place: Workplace, inputs: Inputs) -> Outcome:
        others_wait.wait(0.2)
        return double(place, inputs)

    def ask(x: int) -> None:
        started.wait()
        with use(runtime):
            results.append(stage(slow).perform(given(f"x={x}", x)))

    threads = [threading.Thread(target=ask, args=(x,)) for x in (1, 1, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 4
    assert sorted(str(line["label"]) for line in executions(runtime)) == ["x=1", "x=2"]
    assert Counter(states(events)) == {"running": 2, "finished": 2, "cached": 2}


def test_different_identities_do_not_wait_for_each_other(runtime: Runtime) -> None:
    together = threading.Barrier(2, timeout=10)
    results: list[Artifact] = []

    def meet(place: Workplace, inputs: Inputs) -> Outcome:
        together.wait()
        return double(place, inputs)

    def ask(x: int) -> None:
        with use(runtime):
            results.append(stage(meet).perform(given("a", x)))

    threads = [threading.Thread(target=ask, args=(x,)) for x in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(result.summary["double"] for result in results) == [2, 4]


@pytest.mark.parametrize("error", [StageError("expected, found, do."), KeyboardInterrupt()])
def test_a_failed_stage_leaves_no_artifact_but_its_checkpoint(
    runtime: Runtime, events: list[Event], error: BaseException
) -> None:
    def fail(place: Workplace, inputs: Inputs) -> Outcome:
        (place.folder / "checkpoint.pt").write_text("half way")
        double(place, inputs)
        raise error

    with use(runtime), pytest.raises(type(error)) as raised:
        stage(fail).perform(given("a", 4))

    assert raised.value is error
    # Whoever walks an error's causes must come to an end.
    assert raised.value.__cause__ is None
    assert not (runtime.home / "artifacts").exists()
    assert files_under(runtime.home / "work") == ["checkpoint.pt"]
    assert states(events) == ["running", "failed"]
    assert events[-1].message == str(error)


def test_a_full_disk_is_told_with_what_is_left_of_it(runtime: Runtime, events: list[Event]) -> None:
    def fill(place: Workplace, inputs: Inputs) -> Outcome:
        raise OSError("41600 requested and 1024 written")

    with (
        use(runtime),
        pytest.raises(StageError, match=r"^a: [^\n]*41600 requested[^\n]* \d+ MiB free; make room"),
    ):
        stage(fill).perform(given("a", 4))

    assert "make room" in events[-1].message


def test_a_stage_goes_on_from_what_was_left_and_then_removes_it(runtime: Runtime) -> None:
    def go_on(place: Workplace, inputs: Inputs) -> Outcome:
        assert list(place.output.iterdir()) == []
        steps = place.folder / "steps"
        done = steps.read_text() if steps.exists() else ""
        steps.write_text(done + "x")
        (place.output / f"attempt{len(done)}.txt").touch()
        if len(done) < 2:
            raise StageError("not yet")
        return Outcome({"steps": done})

    with use(runtime):
        for _ in range(2):
            with pytest.raises(StageError):
                stage(go_on).perform(given("a", 4))
        artifact = stage(go_on).perform(given("a", 4))

    assert artifact.summary == {"steps": "xx"}
    assert list(artifact.files) == ["attempt2.txt"]
    assert files_under(runtime.home / "work") == []


def test_output_that_a_kill_left_does_not_get_into_the_artifact(runtime: Runtime) -> None:
    left = runtime.store.work(describe(given("a", 4))) / "output"
    left.mkdir()
    (left / "rubbish.txt").touch()

    with use(runtime):
        artifact = stage().perform(given("a", 4))

    assert list(artifact.files) == ["double.txt"]


def test_an_interruption_is_no_failure_and_goes_on_later(
    runtime: Runtime, events: list[Event]
) -> None:
    def stop(place: Workplace, inputs: Inputs) -> Outcome:
        with tracked_run(place):
            raise SlotsStoppedError("stopped")

    with use(runtime):
        with pytest.raises(SlotsStoppedError):
            stage(stop).perform(given("a", 4))
        runtime.tracker.finish.assert_not_called()
        assert "failed" not in states(events)
        stage().perform(given("a", 4))

    assert states(events) == ["running", "running", "finished"]


@pytest.mark.parametrize(
    ("error", "ending"),
    [(None, ("run-1",)), (ValueError("no"), ("run-1", "FAILED"))],
)
def test_a_tracked_run_ends_as_its_stage_does(
    runtime: Runtime, error: Exception | None, ending: tuple[str, ...]
) -> None:
    def execute(place: Workplace, inputs: Inputs) -> Outcome:
        with tracked_run(place) as run_id:
            runtime.tracker.finish.assert_not_called()
            if error:
                raise error
        return Outcome({}, {"run_id": run_id})

    runtime.tags = {"git.sha": "c0ffee"}
    with use(runtime):
        if error:
            with pytest.raises(ValueError, match="no"):
                stage(execute).perform(given("a", 4))
        else:
            stage(execute).perform(given("a", 4))

    runtime.tracker.finish.assert_called_once_with(*ending)
    started = runtime.tracker.start_run.call_args
    assert started.args == ("a", describe(given("a", 4)).identity, "double")
    assert started.kwargs == {
        "tags": {"git.sha": "c0ffee"},
        "params": {"x": 4, "seed": 0},
        "parent": "parent",
    }


def test_nested_settings_get_dotted_names() -> None:
    nested = {"a": 1, "b": {"c": [1, 2], "d": {"e": None}}}

    assert flattened(nested) == {"a": 1, "b.c": [1, 2], "b.d.e": None}


def test_a_workplace_knows_where_its_output_will_lie(runtime: Runtime) -> None:
    seen: list[str] = []

    def execute(place: Workplace, inputs: Inputs) -> Outcome:
        seen.append(place.destination)
        return double(place, inputs)

    with use(runtime):
        artifact = stage(execute).perform(given("a", 4))

    assert seen == [artifact.folder]


def test_there_is_no_current_runtime_outside_of_a_run(runtime: Runtime) -> None:
    with use(runtime):
        assert current() is runtime
    with pytest.raises(LookupError):
        current()
