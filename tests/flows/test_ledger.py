"""The ledger: what ended how, whoever listens."""

import threading

import pytest

from flows.ledger import Ledger
from tasks.runtime import Event


@pytest.fixture
def heard():
    return []


@pytest.fixture
def ledger(heard):
    return Ledger(heard.append)


def test_every_event_is_passed_on(ledger, heard):
    events = [Event("a", "train", "running", step=1), Event("a", "train", "finished")]
    for event in events:
        ledger.listen(event)
    assert heard == events


def test_only_trainings_are_counted_by_how_they_ended(ledger):
    for label, stage, state in [
        ("a", "train", "finished"),
        ("b", "train", "cached"),
        ("c", "train", "running"),
        ("d", "train", "failed"),
        ("e", "select", "finished"),
        ("f", "prepare", "cached"),
    ]:
        ledger.listen(Event(label, stage, state))
    assert [ledger.count(state) for state in ("finished", "cached")] == [1, 1]


def test_an_executed_training_that_is_found_again_stays_executed(ledger):
    ledger.listen(Event("a", "train", "running"))
    ledger.listen(Event("a", "train", "finished"))
    ledger.listen(Event("a", "train", "cached"))
    assert (ledger.count("finished"), ledger.count("cached")) == (1, 0)


def test_failures_stand_in_order(ledger):
    ledger.listen(Event("a", "prepare", "failed", message="first"))
    ledger.listen(Event("b", "train", "running"))
    ledger.listen(Event("c", "train", "failed", message="second"))
    assert [event.message for event in ledger.failures] == ["first", "second"]


def test_cells_name_the_run_of_every_training(ledger, an_artifact):
    made = an_artifact(0.75, run_id="new")
    reused = an_artifact(0.5, run_id="old")
    ledger.listen(Event("a", "train", "finished", artifact=made))
    ledger.listen(Event("b", "train", "cached", artifact=reused))
    ledger.listen(Event("c", "train", "failed"))
    ledger.listen(Event("d", "select", "finished", artifact=made))
    assert [(cell["cell"], cell["state"], cell["run_id"]) for cell in ledger.cells()] == [
        ("a", "executed", "new"),
        ("b", "cached", "old"),
    ]
    assert [cell["hyper_validation_accuracy"] for cell in ledger.cells()] == [0.75, 0.5]


def test_a_listener_that_fails_does_not_fail_the_stage():
    def broken(event):
        raise RuntimeError("the terminal is gone")

    ledger = Ledger(broken)
    ledger.listen(Event("a", "train", "finished"))
    assert ledger.count("finished") == 1


def test_events_of_many_threads_are_all_there(ledger, heard):
    def work(number):
        for i in range(50):
            ledger.listen(Event(f"{number} {i}", "train", "finished"))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.count("finished") == len(heard) == 400
