"""Jobs on workers: what counts as the end, as a refusal and as a loss, on a clock of the test."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest

from data.fingerprint import sha256_bytes
from tasks import workers as workers_module
from tasks.artifacts import Request
from tasks.attempt import (
    ENDED,
    NEWEST,
    PULSE,
    Attempt,
    Ended,
    Pulse,
    RetiredError,
    alone,
    say_ended,
)
from tasks.errors import StageError
from tasks.fleet import Process
from tasks.follower import Follower
from tasks.runtime import Event, Runtime
from tasks.slots import SlotsStoppedError
from tasks.stage import Workplace
from tasks.storage import Storage, StorageError
from tasks.workers import Patience, Workers

DAY = 86_400.0
PATIENCE = Patience()


class Clock:
    """Steady time that passes in `sleep` alone, and what happens then."""

    def __init__(self) -> None:
        self.now = 5000.0
        self._ahead: list[tuple[float, Callable[[], object]]] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        due = [action for time, action in self._ahead if time <= self.now]
        self._ahead = [(time, action) for time, action in self._ahead if time > self.now]
        for action in due:
            action()

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        self._ahead.append((self.now + seconds, action))


class Run:
    """A worker, as the files and the server show it."""

    def __init__(self, clock: Clock, folder: Path, key: str) -> None:
        self.clock, self.folder, self.key = clock, folder, key
        self.state: str | None = "RUNNING"
        self.beat = 0

    def live(self, process: Process | None = None, host: str = "host-b") -> None:
        """A sign of life."""
        self.beat += 1
        process = process or Process(os.getpid(), 0.0)
        pulse = Pulse(self.key, self.beat, host, process, "host-b cuda:1")
        (self.folder / PULSE).write_text(json.dumps(asdict(pulse)))

    def live_every(self, seconds: float, times: int) -> None:
        for number in range(times):
            self.clock.after(seconds * number, self.live)

    def finish(self, exit_code: int = 0, message: str = "", state: str = "COMPLETED") -> None:
        """Leave word of the end."""
        if exit_code == 0:
            (self.folder / "outcome.json").write_text('{"summary": {}}')
        say_ended(Attempt(self.folder, self.key), Ended(self.key, exit_code, message))
        self.state = state


class Server:
    """A `Dispatch`: what happens to every run is said by the test."""

    def __init__(self, clock: Clock, home: Path) -> None:
        self.clock, self.home = clock, home
        self.happens: list[Callable[[Run], object]] = []
        self.away = 0
        self.runs: dict[str, Run] = {}
        self.submitted: list[tuple[dict[str, str], str, str, tuple[str, ...]]] = []
        self.closed: list[tuple[str, str, str]] = []

    def submit(
        self, parameters: dict[str, str], key: str, label: str, tags: Sequence[str]
    ) -> str | None:
        self.submitted.append((parameters, key, label, tuple(tags)))
        if self.away:
            self.away -= 1
            return None
        name = f"run-{len(self.runs) + 1}"
        self.runs[name] = Run(self.clock, self.home / parameters["work"], key)
        self.happens[min(len(self.runs), len(self.happens)) - 1](self.runs[name])
        return name

    def state(self, run: str) -> str | None:
        return self.runs[run].state

    def said(self, run: str) -> str:
        return "No space left." if self.runs[run] else ""

    def close(self, run: str, end: str, reason: str) -> None:
        self.closed.append((run, end, reason))

    @property
    def keys(self) -> list[str]:
        return [key for _, key, *_ in self.submitted]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(workers_module, "time", clock)
    return clock


@pytest.fixture
def place(runtime: Runtime) -> Workplace:
    request = Request("train", 1, {}, {}, 0, "k=3 draw=0: GradMix")
    folder = runtime.store.work(request)
    (folder / "job.json").write_text("{}")
    return Workplace(runtime, request, folder, folder / "output")


@pytest.fixture
def server(clock: Clock, runtime: Runtime) -> Server:
    return Server(clock, runtime.home)


@pytest.fixture
def run(place: Workplace, server: Server) -> Callable[..., None]:
    """Run a job on workers to which the given things happen, the last again and again."""

    def call(*happens: Callable[[Run], object], **options: Any) -> None:
        server.happens = list(happens)
        follower = Follower(place, {"training": {"steps": 20}}, lambda _: None)
        Workers(server, ("digits",), **options).run(place, "train", follower)

    return call


def succeed(worker: Run) -> None:
    worker.live()
    worker.clock.after(3.0, worker.finish)


def dead() -> Process:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    found = Process.find(process.pid)
    process.communicate()
    return found


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

    follower = Follower(place, {}, lambda rows: told.extend(row.step for row in rows))
    poll, polls = follower.poll, []

    def polled() -> None:
        # The last lines and the end appear between this poll and the look at the end.
        poll()
        if not polls:
            polls.append(finish(server.runs["run-1"]))

    follower.poll = polled
    server = Server(Clock(), place.runtime.home)
    server.happens = [lambda _: None]
    Workers(server).run(place, "train", follower)

    assert told == [20]


def test_a_refusal_is_final(run, server: Server) -> None:
    with pytest.raises(StageError) as raised:
        run(lambda worker: worker.finish(2, "NaN in layer 1; lower the rate [exit code 2]"))

    message = "k=3 draw=0: GradMix: NaN in layer 1; lower the rate [exit code 2]"
    assert str(raised.value) == message
    assert len(server.submitted) == 1
    assert server.closed == []


# Losses.


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
        "flow run is crashed (No space left.) and left",
        True,
    ),
    "somebody cancelled it": (
        end_without_a_word("CANCELLED"),
        "run is cancelled (No space left.) and left",
        True,
    ),
    "it says that it is done": (
        end_without_a_word("COMPLETED"),
        "run is completed (No space left.) and left",
        True,
    ),
    "the process died here": (die, f"on {socket.gethostname()} is gone", True),
    "no sign of life at all": (never_start, "no sign of life for 180 s", True),
    "no further sign of life": (fall_silent, "no sign of life for 120 s", True),
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


def test_silence_is_told_from_the_last_sign_and_no_earlier(run, clock: Clock) -> None:
    began = clock.now
    ends: list[float] = []

    def second(worker: Run) -> None:
        ends.append(clock.now - began)
        succeed(worker)

    run(fall_silent, second)

    # The tenth sign comes after 18 s.
    assert ends == [pytest.approx(18.0 + PATIENCE.silence, abs=2 * PATIENCE.poll)]


def test_signs_that_come_just_in_time_are_enough(run, server: Server) -> None:
    def slow(worker: Run) -> None:
        worker.live_every(PATIENCE.silence - 1, 20)
        worker.clock.after(19 * PATIENCE.silence, worker.finish)

    run(slow)

    assert len(server.submitted) == 1


def test_a_job_waits_for_a_worker_for_ever(run, server: Server, clock: Clock) -> None:
    began = clock.now

    def wait_long(worker: Run) -> None:
        worker.state = "SCHEDULED"
        clock.after(DAY, lambda: setattr(worker, "state", "PENDING"))
        # The limit for the first sign of life counts from here.
        clock.after(DAY + PATIENCE.start - PATIENCE.ask, worker.live)
        clock.after(DAY + PATIENCE.start, worker.finish)

    run(wait_long, patience=Patience(poll=5.0))

    assert len(server.submitted) == 1
    assert clock.now - began > DAY


def test_word_that_arrives_after_the_flow_run_has_ended_counts(
    run, server: Server, clock: Clock
) -> None:
    def finish_late(worker: Run) -> None:
        worker.state = "COMPLETED"
        # A network file system shows files of other hosts late.
        clock.after(PATIENCE.ask + PATIENCE.grace - 1, worker.finish)

    run(finish_late)

    assert len(server.submitted) == 1


def test_word_that_was_left_while_the_attempt_was_given_up_counts(run, server: Server) -> None:
    def finish_when_asked(worker: Run) -> None:
        def state(_: str) -> str:
            worker.finish()
            return "CRASHED"

        server.state = state

    run(finish_when_asked, patience=Patience(ask=0.0, grace=-1.0))

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


# The server.


def test_a_server_that_is_away_is_asked_again_for_the_same_run(run, server: Server) -> None:
    server.away = 7

    run(succeed)

    assert len(server.submitted) == 8
    assert len(set(server.keys)) == 1
    assert len(server.runs) == 1


def test_a_server_that_stays_away_costs_one_line(run, server: Server, clock: Clock) -> None:
    server.away, began = 10**9, clock.now

    with pytest.raises(StageError) as raised:
        run(succeed, patience=Patience(poll=10.0))

    message = str(raised.value)
    assert message.startswith("k=3 draw=0: GradMix: expected ")
    assert "within 1800 s, found" in message
    assert "\n" not in message
    assert clock.now - began == pytest.approx(PATIENCE.outage, abs=20.0)
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


# Clocks and storages.


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


@pytest.fixture
def storage() -> Any:
    """A storage that takes only calls that the real one would."""
    storage = create_autospec(Storage, instance=True)
    storage.listing.return_value = {}
    return storage


def test_a_job_is_in_the_storage_before_it_is_asked_for_and_not_after_it(
    run, server: Server, storage: Any, place: Workplace
) -> None:
    pushed_before: list[int] = []

    def happen(worker: Run) -> None:
        pushed_before.append(storage.push.call_count)
        succeed(worker)

    run(happen, storage=storage)

    assert pushed_before == [1]
    work = str(place.folder.relative_to(place.runtime.home))
    # Whoever sees the key sees the job.
    assert storage.push.call_args.args[1][-1] == f"{work}/{NEWEST}"
    storage.remove.assert_called_once_with(work)


def test_a_storage_that_is_away_is_waited_for(run, server: Server, storage: Any) -> None:
    away = StorageError("the bucket is away.")
    storage.push.side_effect = [away, away, None]
    storage.listing.side_effect = [{}, away, away, *[{}] * 100]
    storage.remove.side_effect = away

    run(succeed, storage=storage)

    assert len(server.submitted) == 1


def test_a_storage_that_stays_away_costs_one_line(run, server: Server, storage: Any) -> None:
    storage.push.side_effect = StorageError("the bucket is away.")

    with pytest.raises(StageError, match=r"^[^\n]*GradMix: .*1800 s, found: the bucket is away"):
        run(succeed, storage=storage, patience=Patience(poll=10.0))

    assert server.submitted == []


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
        # As a process that was suspended: no sign of life, and no look at the key either.
        while len(server.runs) < 2:
            time.sleep(0.005)
        attempt.check()
        pytest.fail("it went on")

    def finishes(attempt: Attempt) -> None:
        server.runs["run-2"].finish()

    def in_a_thread(name: str, body: Callable[[Attempt], None]) -> Callable[[Run], None]:
        def happen(run: Run) -> None:
            # Only the first is watched for signs of life.
            run.state = "RUNNING" if name == "first" else "SCHEDULED"
            threads.append(threading.Thread(target=work, args=(name, run.key, body)))
            threads[-1].start()

        return happen

    server.happens = [in_a_thread("first", stalled), in_a_thread("second", finishes)]
    patience = Patience(poll=0.005, ask=0.0, start=0.1)
    Workers(server, patience=patience).run(place, "train", Follower(place, {}, lambda _: None))
    for thread in threads:
        thread.join(10)

    assert order == ["first starts", "first stops", "second starts", "second stops"]
