"""The event log: what ended how, whoever listens."""

import threading

import pytest

from flows.monitoring.event_log import EventLog
from tasks.events import Event
from tasks.subjects import Subject


@pytest.fixture
def heard():
    return []


@pytest.fixture
def event_log(heard):
    return EventLog([heard.append])


def test_every_event_is_passed_on(event_log, heard):
    events = [
        Event(Subject(name="a"), "train", "running", step=1),
        Event(Subject(name="a"), "train", "finished"),
    ]
    for event in events:
        event_log.listen(event)
    assert heard == events


def test_only_trainings_are_counted_by_how_they_ended(event_log, an_artifact):
    for number, (stage, state) in enumerate(
        [
            ("train", "finished"),
            ("train", "cached"),
            ("train", "running"),
            ("train", "failed"),
            ("select", "finished"),
            ("prepare", "cached"),
        ]
    ):
        artifact = an_artifact(identity=f"{number:064x}")
        event_log.listen(Event(Subject(name=str(number)), stage, state, artifact=artifact))
    assert (event_log.executed, event_log.reused) == (1, 1)


def test_a_training_that_is_found_again_in_the_same_run_is_not_reused(event_log, an_artifact):
    artifact = an_artifact()
    event_log.listen(Event(Subject(name="a"), "train", "running"))
    event_log.listen(Event(Subject(name="a"), "train", "finished", artifact=artifact))
    event_log.listen(Event(Subject(name="a"), "train", "cached", artifact=artifact))
    event_log.listen(
        Event(Subject(name="the same under another name"), "train", "cached", artifact=artifact)
    )
    assert (event_log.executed, event_log.reused) == (1, 0)


def test_failures_stand_in_order(event_log):
    event_log.listen(Event(Subject(name="a"), "prepare", "failed", message="first"))
    event_log.listen(Event(Subject(name="b"), "train", "running"))
    event_log.listen(Event(Subject(name="c"), "train", "failed", message="second"))
    assert [event.message for event in event_log.failures] == ["first", "second"]


def test_cells_name_the_run_of_every_training(event_log, an_artifact):
    made = an_artifact(0.75, run_id="new")
    reused = an_artifact(0.5, run_id="old")
    event_log.listen(Event(Subject(name="a"), "train", "finished", artifact=made))
    event_log.listen(Event(Subject(name="b"), "train", "cached", artifact=reused))
    event_log.listen(Event(Subject(name="c"), "train", "failed"))
    event_log.listen(Event(Subject(name="d"), "select", "finished", artifact=made))
    assert [(cell["cell"], cell["state"], cell["run_id"]) for cell in event_log.cells()] == [
        ("a", "executed", "new"),
        ("b", "cached", "old"),
    ]
    assert [cell["hyper_validation_accuracy"] for cell in event_log.cells()] == [0.75, 0.5]


def test_a_listener_that_fails_fails_neither_the_stage_nor_the_other_listeners(an_artifact, heard):
    def broken(event):
        raise RuntimeError("the terminal is gone")

    event_log = EventLog([broken, heard.append])
    event = Event(Subject(name="a"), "train", "finished", artifact=an_artifact())
    event_log.listen(event)
    assert event_log.executed == 1
    assert heard == [event]


def test_slots_are_those_that_events_have_named(event_log):
    for slot in ("host-b cuda:0", "", "cpu:1", "cpu:1"):
        event_log.listen(Event(Subject(name="a"), "train", "running", slot=slot))
    assert event_log.slots == ["cpu:1", "host-b cuda:0"]


def test_events_of_many_threads_are_all_there(event_log, heard, an_artifact):
    def work(number):
        for i in range(50):
            artifact = an_artifact(identity=f"{number} {i}")
            event_log.listen(
                Event(Subject(name=f"{number} {i}"), "train", "finished", artifact=artifact)
            )

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert event_log.executed == len(heard) == 400
