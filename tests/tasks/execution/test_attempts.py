"""Attempts at a job: the newest counts, and whoever works on an older one stops."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tasks.execution import attempts as attempt_module
from tasks.execution.attempts import (
    ENDED,
    HEARTBEAT,
    LOCK,
    NEWEST,
    Attempt,
    BusyError,
    Ended,
    Heartbeat,
    RetiredError,
    alone,
    job_command,
    work_on,
    write_end,
)
from tasks.execution.launch import Child
from tasks.execution.processes import ChildFailedError, Process
from tasks.execution.slots import Slot

SLOT = Slot("cuda:1", "GPU-bb")
SLEEP = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"]


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., None]], None]:
    """Replaces the job's process."""

    def replace(run: Callable[..., None]) -> None:
        monkeypatch.setattr(attempt_module, "run_in_slot", run)

    return replace


def pulse_of(attempt: Attempt, host: str = "", process: Process | None = None) -> Heartbeat:
    """A heartbeat; of this process unless another is named."""
    process = process or Process.find(os.getpid())
    heartbeat = Heartbeat(attempt.key, 1, host or socket.gethostname(), process, SLOT.name)
    text = json.dumps({**vars(heartbeat), "process": vars(process)})
    (attempt.folder / HEARTBEAT).write_text(text)
    return heartbeat


def dead() -> Process:
    """A process that has ended, and was reaped."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    found = Process.find(process.pid)
    assert found.alive
    process.communicate()
    return found


# Who asks.


def test_a_new_attempt_counts_and_the_one_before_does_not(tmp_path: Path) -> None:
    first = Attempt.begin(tmp_path)
    first.check()

    second = Attempt.begin(tmp_path)

    second.check()
    assert first.key != second.key
    with pytest.raises(RetiredError):
        first.check()


@pytest.mark.parametrize("content", [None, "", '{"key": ', "{}", '{"key": null}'])
def test_where_no_attempt_is_wanted_nobody_works(tmp_path: Path, content: str | None) -> None:
    attempt = Attempt.begin(tmp_path)
    if content is None:
        attempt.retire()
        attempt.retire()
    else:
        (tmp_path / NEWEST).write_text(content)

    with pytest.raises(RetiredError):
        attempt.check()


def test_a_new_attempt_hears_nothing_of_the_one_before_but_finds_its_checkpoint(
    tmp_path: Path,
) -> None:
    first = Attempt.begin(tmp_path)
    pulse_of(first)
    write_end(first, Ended(first.key, 1, "lost"))
    for name in ("outcome.json", "checkpoint.pt", "log.txt", "job.json"):
        (tmp_path / name).touch()

    Attempt.begin(tmp_path)

    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"checkpoint.pt", "log.txt", "job.json", NEWEST}


def test_signs_and_last_words_of_an_older_attempt_are_not_believed(tmp_path: Path) -> None:
    first = Attempt.begin(tmp_path)
    second = Attempt.begin(tmp_path)
    # It was taken for dead and is not: it writes after its successor has begun.
    pulse_of(first)
    write_end(first, Ended(first.key))

    assert (second.heartbeat(), second.ended()) == (None, None)

    heartbeat = pulse_of(second)
    write_end(second, Ended(second.key, 3, "No space"))
    assert second.heartbeat() == heartbeat
    assert second.ended() == Ended(second.key, 3, "No space")
    assert (first.heartbeat(), first.ended()) == (None, None)


@pytest.mark.parametrize("name", [HEARTBEAT, ENDED])
def test_half_a_file_is_no_word(tmp_path: Path, name: str) -> None:
    attempt = Attempt.begin(tmp_path)
    (tmp_path / name).write_text('{"key": "' + attempt.key)

    assert (attempt.heartbeat(), attempt.ended()) == (None, None)


def test_a_process_is_gone_only_where_somebody_can_tell(tmp_path: Path) -> None:
    attempt, ended = Attempt.begin(tmp_path), dead()

    assert pulse_of(attempt, process=ended).gone
    # On another host the same number is another process.
    assert not pulse_of(attempt, "another-host", ended).gone
    assert not pulse_of(attempt).gone
    later = Process(os.getpid(), Process.find(os.getpid()).started + 1)
    assert pulse_of(attempt, process=later).gone


# Who works.


def test_a_job_waits_until_the_attempt_before_has_stopped(tmp_path: Path) -> None:
    first = Attempt.begin(tmp_path)
    order: list[str] = []
    working = threading.Event()

    def work_on_the_first() -> None:
        with alone(first):
            working.set()
            while True:
                try:
                    first.check()
                except RetiredError:
                    break
                time.sleep(0.005)
            order.append("first stops")

    thread = threading.Thread(target=work_on_the_first)
    thread.start()
    assert working.wait(10)
    second = Attempt.begin(tmp_path)

    with alone(second):
        order.append("second starts")
    thread.join()

    assert order == ["first stops", "second starts"]
    assert not (tmp_path / LOCK).exists()


def test_an_attempt_that_does_not_stop_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_module, "HANDOVER_S", 0.05)
    attempt = Attempt.begin(tmp_path)

    with (
        alone(attempt),
        pytest.raises(BusyError, match=r"within 0\.05 s, found it running in .*; stop its process"),
        alone(Attempt.begin(tmp_path)),
    ):
        pytest.fail("two at work")


def test_who_waits_gives_up_when_a_newer_attempt_is_wanted(tmp_path: Path) -> None:
    with alone(Attempt.begin(tmp_path)):
        second = Attempt.begin(tmp_path)
        Attempt.begin(tmp_path)

        with pytest.raises(RetiredError), alone(second):
            pytest.fail("two at work")


def test_an_attempt_that_comes_too_late_does_not_start(tmp_path: Path) -> None:
    attempt = Attempt.begin(tmp_path)
    attempt.retire()

    with pytest.raises(RetiredError), alone(attempt):
        pytest.fail("it started")
    with pytest.raises(RetiredError):
        work_on(attempt, tmp_path, "train", SLOT, lambda: None)

    assert not (tmp_path / LOCK).exists()


def test_the_job_runs_in_the_slot_with_its_log_in_its_folder(tmp_path: Path, process) -> None:
    (tmp_path / "work").mkdir()
    attempt = Attempt.begin(tmp_path / "work")
    seen: list[object] = []

    def run(command: list[str], slot: Slot, *, log: Path, cwd: Path, **how: object) -> None:
        seen.extend([command, slot, log, cwd, how["launch"]])

    def launch(*_: object) -> Child:
        pytest.fail("it was called here")

    process(run)

    ended = work_on(attempt, tmp_path, "train", SLOT, lambda: None, launch)
    assert ended == Ended(attempt.key)
    command = job_command("train", tmp_path / "work", tmp_path)
    assert seen == [command, SLOT, tmp_path / "work" / "log.txt", tmp_path, launch]
    assert command[1:6] == ["-P", "-m", "gradmix_launcher", "tasks.jobs", "train"]
    assert command[6:] == [str(tmp_path / "work"), str(tmp_path)]


@pytest.mark.parametrize(
    ("code", "words"), [(2, "exit code 2"), (3, "exit code 3"), (-9, "SIGKILL, out of memory?")]
)
def test_an_error_of_the_job_is_its_exit_code_and_one_line(
    tmp_path: Path, process, code: int, words: str
) -> None:
    def run(*_: object, log: Path, **__: object) -> None:
        raise ChildFailedError(code, "the cause", log)

    process(run)
    attempt = Attempt.begin(tmp_path)

    ended = work_on(attempt, tmp_path, "train", SLOT, lambda: None)

    assert (ended.key, ended.exit_code) == (attempt.key, code)
    assert ended.message.startswith("the cause [")
    assert words in ended.message


class Clocks:
    """The steady clock, and the one that people set."""

    def __init__(self) -> None:
        self.steady, self.set = 1000.0, 1.8e9

    def monotonic(self) -> float:
        return self.steady

    def time(self) -> float:
        return self.set


def test_signs_of_life_grow_with_the_steady_clock_whatever_the_other_says(
    tmp_path: Path, process, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks, attempt = Clocks(), Attempt.begin(tmp_path)
    monkeypatch.setattr(attempt_module, "time", clocks)
    seen: list[tuple[int, int]] = []

    def told() -> None:
        heartbeat = attempt.heartbeat()
        assert heartbeat is not None
        seen.append((round(clocks.steady - 1000), heartbeat.beat))

    def run(*_: object, poll: Callable[[], None], **__: object) -> None:
        for jump in (0, -1e9, 1e9, 0, 0, -1e12):
            clocks.set += jump
            poll()
            clocks.steady += 1

    process(run)
    work_on(attempt, tmp_path, "train", SLOT, told)

    # One every two seconds.
    assert seen == [(0, 1), (1, 1), (2, 2), (3, 2), (4, 3), (5, 3)]
    heartbeat = attempt.heartbeat()
    assert heartbeat is not None
    assert (heartbeat.host, heartbeat.slot) == (socket.gethostname(), "cuda:1")
    assert heartbeat.process == Process.find(os.getpid())
    assert heartbeat.process.alive


@pytest.mark.parametrize("newer", [True, False])
def test_a_job_that_is_no_longer_wanted_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, newer: bool
) -> None:
    monkeypatch.setattr(attempt_module, "job_command", lambda *_: SLEEP)
    attempt, log = Attempt.begin(tmp_path), tmp_path / "log.txt"

    def told() -> None:
        if log.read_text():
            (Attempt.begin if newer else lambda _: attempt.retire())(tmp_path)

    with pytest.raises(RetiredError):
        work_on(attempt, tmp_path, "train", SLOT, told)

    assert not psutil.pid_exists(int(log.read_text()))
    assert attempt.ended() is None
