"""Jobs on workers: handed over once, refused, waited for and stopped."""

import json

import pytest

from data.fingerprint import sha256_bytes
from tasks.engine.stage import Workplace
from tasks.errors import StageError
from tasks.events import Event
from tasks.execution.attempts import NEWEST
from tasks.execution.fleet_runner import FleetRunner, Timeouts
from tasks.execution.slots import SlotsStoppedError
from tests.tasks.execution.fleet_runner.fakes import Clock, Run, Server, succeed

DAY = 86_400.0
TIMEOUTS = Timeouts()


# The end.


def test_a_job_is_handed_over_once_and_its_outcome_is_there(
    run, server: Server, place: Workplace, events: list[Event]
) -> None:
    run(succeed)

    [(parameters, key, label, tags)] = server.submitted
    work = str(place.folder.relative_to(place.runtime.home))
    digest = sha256_bytes((place.folder / "job.json").read_bytes())
    expected = {"name": "train", "work": work, "label": label, "key": key, "digest": digest}
    assert parameters == expected
    assert (label, tags) == ("k=3 draw=0: GradMix", ("digits",))
    assert (place.folder / "outcome.json").exists()
    assert server.closed == []
    # Nobody may begin to work on it now.
    assert not (place.folder / NEWEST).exists()
    assert [(event.state, event.slot) for event in events] == [("running", "host-b cuda:1")]


def test_figures_that_came_with_the_end_are_passed_on(run, place: Workplace) -> None:
    told: list[int] = []
    row = {"step": 20, "time": 1.0, "figures": {"hyper_validation/accuracy": 0.5}}

    def finish(worker: Run) -> None:
        (place.folder / "progress.jsonl").write_text(json.dumps(row) + "\n")
        worker.finish()

    follower = place.follower(on_rows=lambda rows: told.extend(row.step for row in rows))
    poll, polls = follower.poll, []

    def polled() -> None:
        # The last lines and the end appear between this poll and the look at the end.
        poll()
        if not polls:
            polls.append(finish(server.runs["run-1"]))

    follower.poll = polled
    server = Server(Clock(), place.runtime.home)
    server.happens = [lambda _: None]
    FleetRunner(server, place.runtime.store).run("train", place.folder, follower)
    follower.pass_on()

    assert told == [20]


def test_a_refusal_is_final(run, server: Server) -> None:
    with pytest.raises(StageError) as raised:
        run(lambda worker: worker.finish(2, "NaN in layer 1; lower the rate [exit code 2]"))

    message = "k=3 draw=0: GradMix: NaN in layer 1; lower the rate [exit code 2]"
    assert str(raised.value) == message
    assert len(server.submitted) == 1
    assert server.closed == []


# The server.


def test_a_job_waits_for_a_worker_for_ever(run, server: Server, clock: Clock) -> None:
    began = clock.now

    def wait_long(worker: Run) -> None:
        worker.state = "SCHEDULED"
        clock.after(DAY, lambda: setattr(worker, "state", "PENDING"))
        # The limit for the first heartbeat counts from here.
        clock.after(DAY + TIMEOUTS.start - TIMEOUTS.ask, worker.live)
        clock.after(DAY + TIMEOUTS.start, worker.finish)

    run(wait_long, timeouts=Timeouts(poll=5.0))

    assert len(server.submitted) == 1
    assert clock.now - began > DAY


def test_a_server_that_is_away_is_asked_again_for_the_same_run(run, server: Server) -> None:
    server.away = 7

    run(succeed)

    assert len(server.submitted) == 8
    assert len(set(server.keys)) == 1
    assert len(server.runs) == 1


def test_a_server_that_stays_away_costs_one_line(run, server: Server, clock: Clock) -> None:
    server.away, began = 10**9, clock.now

    with pytest.raises(StageError) as raised:
        run(succeed, timeouts=Timeouts(poll=10.0))

    message = str(raised.value)
    assert message.startswith("k=3 draw=0: GradMix: expected ")
    assert "within 1800 s, found" in message
    assert "\n" not in message
    assert clock.now - began == pytest.approx(TIMEOUTS.outage, abs=20.0)
    assert server.closed == []


def test_a_server_that_is_away_while_a_job_runs_costs_nothing(run, server: Server) -> None:
    def unseen(worker: Run) -> None:
        worker.state = None
        worker.live_every(60.0, 20)
        worker.clock.after(1200.0, worker.finish)

    run(unseen)

    assert len(server.submitted) == 1
    assert server.closed == []


# A stop.


@pytest.mark.parametrize("state", ["SCHEDULED", "RUNNING"])
def test_a_stop_reaches_the_worker_and_the_server(
    run, server: Server, clock: Clock, place: Workplace, state: str
) -> None:
    def stopped(worker: Run) -> None:
        worker.state = state
        clock.after(20.0, place.runtime.stop)

    with pytest.raises(SlotsStoppedError):
        run(stopped)

    # Whoever works on it looks for the key.
    assert not (place.folder / NEWEST).exists()
    assert [(name, end) for name, end, _ in server.closed] == [("run-1", "CANCELLED")]
    assert len(server.submitted) == 1


def test_a_stop_while_the_server_is_away_ends_the_wait(
    run, server: Server, clock: Clock, place: Workplace
) -> None:
    server.away = 10**9
    clock.after(20.0, place.runtime.stop)

    with pytest.raises(SlotsStoppedError):
        run(succeed)

    assert not (place.folder / NEWEST).exists()
    assert server.closed == []


def test_an_interrupt_closes_the_run(run, server: Server, clock: Clock, place: Workplace) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(lambda _: clock.after(5.0, interrupt))

    assert [(name, end) for name, end, _ in server.closed] == [("run-1", "CANCELLED")]
    assert not (place.folder / NEWEST).exists()
