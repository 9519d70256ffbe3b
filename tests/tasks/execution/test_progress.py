"""Following a job from outside its process."""

import json
import time
from pathlib import Path

import pytest

from tasks.engine.runtime import Runtime
from tasks.engine.stage import Workplace
from tasks.events import Event
from tasks.execution.progress import ROWS_EVERY_S, Follower
from tasks.execution.slots import SlotsStoppedError
from tasks.storage.artifacts import Request
from tasks.subjects import Subject
from tasks.tracking.tracker import MetricRow


@pytest.fixture
def place(runtime: Runtime) -> Workplace:
    request = Request("train", 1, {}, {}, 0, Subject(name="k=3 draw=0: GradMix"))
    folder = runtime.store.work(request)
    return Workplace(runtime, request, folder, folder / "output")


@pytest.fixture
def progress(place: Workplace) -> Path:
    return place.folder / "progress.jsonl"


@pytest.fixture
def told() -> list[list[MetricRow]]:
    return []


@pytest.fixture
def follower(place: Workplace, told: list[list[MetricRow]]) -> Follower:
    return place.follower(steps=20, on_rows=told.append)


def line(step: int, accuracy: float = 0.5) -> str:
    figures = {"hyper_validation/accuracy": accuracy}
    return json.dumps({"step": step, "time": 1.8e9 + step, "figures": figures}) + "\n"


def steps(told: list[list[MetricRow]]) -> list[list[int]]:
    return [[row.step for row in rows] for rows in told]


def test_new_figures_are_passed_on_once_and_whole(
    follower: Follower, progress: Path, told: list[list[MetricRow]]
) -> None:
    follower.poll()  # nothing there yet
    progress.write_text(line(5, 0.5) + line(10, 0.6))
    follower.poll()
    follower.poll()
    whole = line(15, 0.7)
    with progress.open("a") as file:
        file.write(whole[:9])
    follower.poll()
    follower.pass_on()
    with progress.open("a") as file:
        file.write(whole[9:])
    follower.poll()
    assert steps(told) == [[5, 10]]
    follower.pass_on()
    follower.pass_on()

    assert steps(told) == [[5, 10], [15]]
    assert told[0][1] == MetricRow(10, {"hyper_validation/accuracy": 0.6}, 1.8e9 + 10)


def test_figures_are_held_for_seconds_and_news_is_not(
    follower: Follower,
    progress: Path,
    told: list[list[MetricRow]],
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.monotonic()
    monkeypatch.setattr("tasks.execution.progress.time.monotonic", lambda: now)
    for step in (5, 10, 15):
        with progress.open("a") as file:
            file.write(line(step))
        follower.poll()
        assert events[-1].step == step
    assert told == []
    now += ROWS_EVERY_S
    with progress.open("a") as file:
        file.write(line(20))
    follower.poll()

    assert steps(told) == [[5, 10, 15, 20]]


def test_a_resumed_training_that_shortens_its_file_loses_no_figure(
    follower: Follower, progress: Path, told: list[list[MetricRow]]
) -> None:
    progress.write_text(line(5) + line(10) + line(15)[:7])
    follower.poll()
    for content in (line(5), line(5) + line(10), line(5) + line(10) + line(15)):
        progress.write_text(content)
        follower.poll()
    follower.pass_on()

    rows = [row for rows in told for row in rows]
    assert {row.step for row in rows} == {5, 10, 15}
    # What is told twice is equal, and the tracker stores it once.
    assert len({(row.step, row.time_s) for row in rows}) == 3


def test_news_names_the_slot_from_the_start_on_and_the_last_step(
    follower: Follower, progress: Path, events: list[Event]
) -> None:
    follower.start("host-b cuda:1")
    progress.write_text(line(5, 0.5) + line(10, 0.6))
    follower.poll()

    assert [(event.step, event.steps, event.accuracy) for event in events] == [
        (0, 20, None),
        (10, 20, 0.6),
    ]
    assert {(e.label, e.stage, e.state, e.slot) for e in events} == {
        ("k=3 draw=0: GradMix", "train", "running", "host-b cuda:1")
    }
    assert all(event.seconds >= 0 for event in events)


def test_a_job_without_steps_starts_as_well(place: Workplace, events: list[Event]) -> None:
    place.follower().start("cpu:0")

    assert [(event.step, event.steps) for event in events] == [(0, 0)]


def test_a_stopped_run_is_told_before_any_figure(
    follower: Follower, progress: Path, place: Workplace, told: list[list[MetricRow]]
) -> None:
    progress.write_text(line(5))
    place.runtime.stop()

    with pytest.raises(SlotsStoppedError):
        follower.poll()

    assert told == []
