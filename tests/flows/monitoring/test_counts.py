"""What a reproduction is doing now, counted from its events."""

import json
import threading

import pytest

from flows.monitoring.counts import Counts, Work, running_row
from flows.pipeline.plan import PlanEntry
from tasks.events import Event
from tasks.subjects import Subject

A, B, C = (Subject.of("A", 2, 0), Subject.of("B", 2, 0), Subject.of("C", 2, 0))


@pytest.fixture
def counts(clock):
    """Three trainings, of which A and B will run on two slots."""
    return Counts(Work(3, {A, B}, 2))


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


def test_news_is_said_once(counts):
    told = [
        Event(A, "train", "running"),  # waits for a slot
        running(A),
        running(A, step=10),
        Event(A, "train", "finished"),
        Event(A, "train", "cached"),  # found again by the check of its own task
        Event(A, "train", "failed"),
    ]
    assert [counts.take(event) for event in told] == ["", "start", "step", "end", "", ""]
    assert counts.trainings("finished") == [A.label]
    assert counts.trainings("cached") == []


def test_what_runs_stands_by_slot_and_leaves_at_its_end(counts):
    counts.take(running(B, slot="cpu:1"))
    counts.take(running(A, slot="cpu:0"))
    assert [event.label for event in counts.running] == [A.label, B.label]
    counts.take(Event(A, "train", "failed", message="no"))
    assert [event.label for event in counts.running] == [B.label]


def test_a_training_that_starts_again_after_a_loss_runs_again(counts):
    counts.take(running(A, step=90, slot="host-a cuda:0"))
    assert counts.take(running(A, step=0, slot="host-b cuda:1")) == "step"
    (event,) = counts.running
    assert (event.step, event.slot) == (0, "host-b cuda:1")


def test_only_trainings_are_counted_and_other_stages_are_told(counts):
    counts.take(running("top 2", slot="cpu:0"))
    assert counts.take(Event(Subject(name="svhn train"), "prepare", "finished")) == "end"
    counts.take(Event(C, "train", "cached"))
    counts.take(Event(A, "train", "failed"))
    assert counts.done == 1
    assert [event.label for event in counts.ended("finished")] == ["svhn train"]


def test_time_left_is_the_mean_time_of_what_waits_on_all_slots(counts):
    assert counts.time_left is None
    counts.take(Event(C, "train", "cached"))
    assert counts.time_left is None
    counts.take(running(A, seconds=40.0))
    counts.take(Event(A, "train", "finished", seconds=99.0))  # with the wait for a slot
    assert counts.time_left == pytest.approx(1 * 40.0 / 2)
    counts.take(running(B, seconds=60.0))
    counts.take(Event(B, "train", "finished"))
    assert counts.time_left == 0


def test_where_slots_are_unknown_the_most_that_ran_at_a_time_count(clock):
    counts = Counts(Work(5, {A, B, C, Subject(name="d"), Subject(name="e")}, 0))
    for number, label in enumerate((A, B, C)):
        counts.take(running(label, seconds=30.0, slot=f"host-b cuda:{number}"))
    for label in (A, B):
        counts.take(Event(label, "train", "finished"))
    # C, without a step so far, has taken its 30 s already.
    assert counts.time_left == pytest.approx(2 * 30.0 / 3)


def test_time_left_follows_the_present_speed(clock):
    subjects = [Subject(name=str(number)) for number in range(12)]
    counts = Counts(Work(12, subjects, 1))
    for number, seconds in enumerate([10.0] * 5 + [40.0, 40.0]):
        counts.take(running(subjects[number], seconds=seconds))
        counts.take(Event(subjects[number], "train", "finished"))
    # Two rounds of one slot: the 40 s of the last two, of five that are left.
    assert counts.time_left == pytest.approx(5 * 40.0)
    # A quarter done in 25 s, so 100 s in all: the mean of 40, 40 and 100 is 60.
    counts.take(running(subjects[7], step=25, seconds=25.0))
    assert counts.time_left == pytest.approx(4 * 60.0 + 75.0)


def test_a_snapshot_is_plain_json(counts, clock, an_artifact):
    counts.take(Event(C, "train", "cached", artifact=an_artifact()))
    counts.take(Event(Subject(name="k=2 draw=0: split"), "split", "failed", message="no"))
    counts.take(running(A, step=25, seconds=30.0, accuracy=0.5))
    clock.now += 65.04
    assert json.loads(json.dumps(counts.snapshot())) == {
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


def test_before_its_first_step_a_training_gives_no_time(counts):
    assert running_row(running(A, seconds=5.0))["left"] is None


def test_events_of_many_threads_are_all_counted(clock):
    counts = Counts(Work(400, (), 8))

    def work(number):
        for i in range(50):
            counts.take(running(Subject(name=f"{number} {i}"), slot=f"cpu:{number}"))
            counts.take(Event(Subject(name=f"{number} {i}"), "train", "finished"))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (counts.done, counts.running) == (400, [])
