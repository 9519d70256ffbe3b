"""What a reproduction is doing now, counted from its events."""

import json
import threading

import pytest

from flows.monitoring.counts import Board, Work, running_row
from flows.pipeline.plan import PlanEntry
from tasks.events import Event
from tasks.subjects import Subject

A, B, C = (Subject.of("A", 2, 0), Subject.of("B", 2, 0), Subject.of("C", 2, 0))


@pytest.fixture
def board(clock):
    """Three trainings, of which A and B will run on two slots."""
    return Board(Work(3, {A, B}, 2))


def running(subject, step=0, seconds=0.0, slot="cpu:0", accuracy=None):
    return Event(
        subject,
        "train",
        "running",
        step=step,
        steps=100,
        slot=slot,
        seconds=seconds,
        accuracy=accuracy,
    )


def test_the_work_ahead_is_the_trainings_of_a_plan():
    entries = [
        PlanEntry(Subject(name="svhn train"), "prepare", "will run", "never made"),
        PlanEntry(A, "train", "will run", "never made"),
        PlanEntry(B, "train", "stale", "model.pt is missing"),
        PlanEntry(C, "train", "cached", ""),
    ]
    assert Work.of(entries, 4) == Work(3, {A, B}, 4)


def test_news_is_said_once(board):
    told = [
        Event(A, "train", "running"),  # waits for a slot
        running(A),
        running(A, step=10),
        Event(A, "train", "finished"),
        Event(A, "train", "cached"),  # found again by the check of its own task
        Event(A, "train", "failed"),
    ]
    assert [board.take(event) for event in told] == ["", "start", "step", "end", "", ""]
    assert board.trainings("finished") == [A.label]
    assert board.trainings("cached") == []


def test_what_runs_stands_by_slot_and_leaves_at_its_end(board):
    board.take(running(B, slot="cpu:1"))
    board.take(running(A, slot="cpu:0"))
    assert [event.label for event in board.running] == [A.label, B.label]
    board.take(Event(A, "train", "failed", message="no"))
    assert [event.label for event in board.running] == [B.label]


def test_a_training_that_starts_again_after_a_loss_runs_again(board):
    board.take(running(A, step=90, slot="host-a cuda:0"))
    assert board.take(running(A, step=0, slot="host-b cuda:1")) == "step"
    (event,) = board.running
    assert (event.step, event.slot) == (0, "host-b cuda:1")


def test_only_trainings_are_counted_and_other_stages_are_told(board):
    board.take(running("top 2", slot="cpu:0"))
    assert board.take(Event(Subject(name="svhn train"), "prepare", "finished")) == "end"
    board.take(Event(C, "train", "cached"))
    board.take(Event(A, "train", "failed"))
    assert board.done == 1
    assert [event.label for event in board.ended("finished")] == ["svhn train"]


def test_time_left_is_the_mean_time_of_what_waits_on_all_slots(board):
    assert board.time_left is None
    board.take(Event(C, "train", "cached"))
    assert board.time_left is None
    board.take(running(A, seconds=40.0))
    board.take(Event(A, "train", "finished", seconds=99.0))  # with the wait for a slot
    assert board.time_left == pytest.approx(1 * 40.0 / 2)
    board.take(running(B, seconds=60.0))
    board.take(Event(B, "train", "finished"))
    assert board.time_left == 0


def test_where_slots_are_unknown_the_most_that_ran_at_a_time_count(clock):
    board = Board(Work(5, {A, B, C, Subject(name="d"), Subject(name="e")}, 0))
    for number, label in enumerate((A, B, C)):
        board.take(running(label, seconds=30.0, slot=f"host-b cuda:{number}"))
    for label in (A, B):
        board.take(Event(label, "train", "finished"))
    # C, without a step so far, has taken its 30 s already.
    assert board.time_left == pytest.approx(2 * 30.0 / 3)


def test_time_left_follows_the_present_speed(clock):
    subjects = [Subject(name=str(number)) for number in range(12)]
    board = Board(Work(12, subjects, 1))
    for number, seconds in enumerate([10.0] * 5 + [40.0, 40.0]):
        board.take(running(subjects[number], seconds=seconds))
        board.take(Event(subjects[number], "train", "finished"))
    # Two rounds of one slot: the 40 s of the last two, of five that are left.
    assert board.time_left == pytest.approx(5 * 40.0)
    # A quarter done in 25 s, so 100 s in all: the mean of 40, 40 and 100 is 60.
    board.take(running(subjects[7], step=25, seconds=25.0))
    assert board.time_left == pytest.approx(4 * 60.0 + 75.0)


def test_a_snapshot_is_plain_json(board, clock, an_artifact):
    board.take(Event(C, "train", "cached", artifact=an_artifact()))
    board.take(Event(Subject(name="k=2 draw=0: split"), "split", "failed", message="no"))
    board.take(running(A, step=25, seconds=30.0, accuracy=0.5))
    clock.now += 65.04
    assert json.loads(json.dumps(board.snapshot())) == {
        "trainings": 3,
        "finished": 0,
        "cached": 1,
        "failed": ["k=2 draw=0: split"],
        "elapsed": 65.0,
        # At 30 s for 25 of 100 steps: 90 s for A and 120 s for B, on two slots.
        "left": 105.0,
        "running": [
            {
                "cell": A.label,
                "slot": "cpu:0",
                "step": 25,
                "steps": 100,
                "accuracy": 0.5,
                "left": 90.0,
            }
        ],
    }


def test_before_its_first_step_a_training_gives_no_time(board):
    assert running_row(running(A, seconds=5.0))["left"] is None


def test_events_of_many_threads_are_all_counted(clock):
    board = Board(Work(400, (), 8))

    def work(number):
        for i in range(50):
            board.take(running(Subject(name=f"{number} {i}"), slot=f"cpu:{number}"))
            board.take(Event(Subject(name=f"{number} {i}"), "train", "finished"))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (board.done, board.running) == (400, [])
