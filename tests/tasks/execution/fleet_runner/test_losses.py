"""Jobs on workers: what counts as a loss and what does not, on a clock of the test."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from tasks.engine.stage import Workplace
from tasks.errors import StageError
from tasks.execution.attempts import ENDED, NEWEST, Attempt, RetiredError, alone
from tasks.execution.fleet_runner import FleetRunner, Timeouts
from tasks.execution.prefect_runs import RunState
from tasks.execution.processes import Process
from tests.tasks.execution.fleet_runner.fakes import Clock, Run, Server, succeed

TIMEOUTS = Timeouts()


def dead() -> Process:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    found = Process.find(process.pid)
    process.communicate()
    return found


def crash(code: int) -> Callable[[Run], None]:
    return lambda worker: worker.finish(code, f"it ended with {code}", "FAILED")


def end_without_a_word(state: str) -> Callable[[Run], None]:
    def happen(worker: Run) -> None:
        worker.live()
        worker.state = state

    return happen


def die(worker: Run) -> None:
    worker.live(dead(), socket.gethostname())


def never_start(worker: Run) -> None:
    worker.state = "PENDING"


def fall_silent(worker: Run) -> None:
    worker.live_every(2.0, 10)


LOSSES = {
    "the disk there failed": (crash(3), "it ended with 3", False),
    "a mistake in the code": (crash(1), "it ended with 1", False),
    "killed for memory": (crash(-9), "it ended with -9", False),
    "the flow run crashed": (
        end_without_a_word("CRASHED"),
        "flow run is crashed (No space left.) and wrote",
        True,
    ),
    "somebody cancelled it": (
        end_without_a_word("CANCELLED"),
        "run is cancelled (No space left.) and wrote",
        True,
    ),
    "it says that it is done": (
        end_without_a_word("COMPLETED"),
        "run is completed (No space left.) and wrote",
        True,
    ),
    "the process died here": (die, f"on {socket.gethostname()} is gone", True),
    "no heartbeat at all": (never_start, "no heartbeat for 180 s", True),
    "no further heartbeat": (fall_silent, "no heartbeat for 120 s", True),
}


@pytest.mark.parametrize(("happens", "reason", "closed"), LOSSES.values(), ids=LOSSES.keys())
def test_a_lost_attempt_is_made_again_at_most_three_times_with_a_key_of_its_own(
    run, server: Server, happens: Callable[[Run], None], reason: str, closed: bool
) -> None:
    with pytest.raises(StageError) as raised:
        run(happens)

    message = str(raised.value)
    assert message.startswith("k=3 draw=0: GradMix: expected a worker to finish it, lost 3 ")
    assert reason in message
    assert "\n" not in message
    assert len(set(server.keys)) == 3
    # What left word has ended by itself; the rest must not count as running for ever.
    ends = [(name, end) for name, end, why in server.closed if reason in why]
    assert ends == ([(f"run-{number}", "CRASHED") for number in (1, 2, 3)] if closed else [])
    assert len(server.closed) == len(ends)


@pytest.mark.parametrize("happens", [happens for happens, *_ in LOSSES.values()], ids=LOSSES.keys())
def test_an_attempt_after_a_loss_counts_as_if_it_were_the_first(
    run, server: Server, place: Workplace, happens: Callable[[Run], None]
) -> None:
    run(happens, succeed)

    assert len(set(server.keys)) == 2
    assert (place.folder / "outcome.json").exists()


# Heartbeats and last words.


def test_silence_is_told_from_the_last_sign_and_no_earlier(run, clock: Clock) -> None:
    began = clock.now
    ends: list[float] = []

    def second(worker: Run) -> None:
        ends.append(clock.now - began)
        succeed(worker)

    run(fall_silent, second)

    # The tenth sign comes after 18 s.
    assert ends == [pytest.approx(18.0 + TIMEOUTS.silence, abs=2 * TIMEOUTS.poll)]


def test_signs_that_come_just_in_time_are_enough(run, server: Server) -> None:
    def slow(worker: Run) -> None:
        worker.live_every(TIMEOUTS.silence - 1, 20)
        worker.clock.after(19 * TIMEOUTS.silence, worker.finish)

    run(slow)

    assert len(server.submitted) == 1


def test_a_clock_that_jumps_changes_nothing(
    run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumps = iter([1e12, 0.0, -1e9, 4e9] * 100_000)
    monkeypatch.setattr("time.time", lambda: next(jumps))

    def slow(worker: Run) -> None:
        worker.live_every(20.0, 10)
        worker.clock.after(200.0, worker.finish)

    run(slow)

    assert len(server.submitted) == 1


def test_word_that_arrives_after_the_flow_run_has_ended_counts(
    run, server: Server, clock: Clock
) -> None:
    def finish_late(worker: Run) -> None:
        worker.state = "COMPLETED"
        # A network file system shows files of other hosts late.
        clock.after(TIMEOUTS.ask + TIMEOUTS.grace - 1, worker.finish)

    run(finish_late)

    assert len(server.submitted) == 1


def test_word_that_was_left_while_the_attempt_was_given_up_counts(run, server: Server) -> None:
    def finish_when_asked(worker: Run) -> None:
        def state(_: str) -> RunState:
            worker.finish()
            return RunState("CRASHED")

        server.state = state

    run(finish_when_asked, timeouts=Timeouts(ask=0.0, grace=-1.0))

    assert len(server.submitted) == 1


def test_the_last_words_of_an_older_attempt_are_not_taken_for_the_newer_ones(
    run, server: Server, clock: Clock, place: Workplace
) -> None:
    began = clock.now

    def second(worker: Run) -> None:
        worker.live()
        # The first was taken for dead, and was only slow.
        server.runs["run-1"].finish()
        clock.after(50.0, worker.finish)

    run(end_without_a_word("CRASHED"), second)

    assert clock.now - began > 50
    assert json.loads((place.folder / ENDED).read_text())["key"] == server.keys[1]


def test_a_lost_attempt_is_retired_before_the_next_begins(run, place: Workplace) -> None:
    seen: list[bool] = []
    first: list[Run] = []

    def second(worker: Run) -> None:
        newest = json.loads((place.folder / NEWEST).read_text())["key"]
        seen.append(newest == worker.key != first[0].key)
        succeed(worker)

    run(lambda worker: (first.append(worker), die(worker)), second)

    assert seen == [True]


# With attempts that really are at work.


def test_an_attempt_that_was_taken_for_dead_stops_before_the_next_starts(
    place: Workplace,
) -> None:
    order: list[str] = []
    threads: list[threading.Thread] = []
    server = Server(Clock(), place.runtime.home)

    def work(name: str, key: str, body: Callable[[Attempt], None]) -> None:
        attempt = Attempt(place.folder, key)
        with contextlib.suppress(RetiredError), alone(attempt):
            order.append(f"{name} starts")
            try:
                body(attempt)
            finally:
                order.append(f"{name} stops")

    def stalled(attempt: Attempt) -> None:
        # As a process that was suspended: no heartbeat, and no look at the key either.
        while len(server.runs) < 2:
            time.sleep(0.005)
        attempt.check()
        pytest.fail("it went on")

    def finishes(attempt: Attempt) -> None:
        server.runs["run-2"].finish()

    def in_a_thread(name: str, body: Callable[[Attempt], None]) -> Callable[[Run], None]:
        def happen(run: Run) -> None:
            # Only the first is watched for heartbeats.
            run.state = "RUNNING" if name == "first" else "SCHEDULED"
            threads.append(threading.Thread(target=work, args=(name, run.key, body)))
            threads[-1].start()

        return happen

    server.happens = [in_a_thread("first", stalled), in_a_thread("second", finishes)]
    timeouts = Timeouts(poll=0.005, ask=0.0, start=0.1)
    runner = FleetRunner(server, place.runtime.store, timeouts=timeouts)
    runner.run("train", place.folder, place.follower())
    for thread in threads:
        thread.join(10)

    assert order == ["first starts", "first stops", "second starts", "second stops"]
