"""What stages share: one of them at a time on an identity, in all processes over a home."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tasks.engine.runtime import Runtime
from tasks.execution.slot_runner import SlotRunner
from tasks.execution.slots import Slot, SlotPool, SlotsStoppedError
from tasks.storage.artifacts import Request
from tasks.subjects import Subject

IDENTITY = "3f2a9c01" * 8
HOLD = """
import sys, time
from pathlib import Path
from typing import cast
from tasks.storage.artifacts import Store
from tasks.engine.runtime import Runtime
from tasks.execution.slot_runner import SlotRunner
from tasks.execution.slots import Slot, SlotPool
here = SlotRunner(Path(sys.argv[1]), SlotPool([Slot("cpu:0")]))
with Runtime(Store(here.home), here, here, None, "parent", print).alone(sys.argv[2]):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(home: Path, identity: str) -> "subprocess.Popen[str]":
    """Another process that works on an identity."""
    command = [sys.executable, "-P", "-c", HOLD, str(home), identity]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_one_thread_works_on_an_identity_and_others_work_on_theirs(runtime: Runtime) -> None:
    order: list[str] = []
    inside = threading.Event()

    def second() -> None:
        with runtime.alone(IDENTITY):
            order.append("second")

    with runtime.alone(IDENTITY):
        thread = threading.Thread(target=second)
        thread.start()
        with runtime.alone("another" * 9):
            inside.set()
        time.sleep(0.02)
        order.append("first")
    thread.join(10)

    assert inside.is_set()
    assert order == ["first", "second"]


def test_another_process_is_waited_for_until_it_is_killed(runtime: Runtime) -> None:
    with hold(runtime.home, IDENTITY) as other:
        killer = threading.Timer(0.05, other.kill)
        killer.start()

        with runtime.alone(IDENTITY):
            assert other.wait(5) == -9

    assert list((runtime.home / "locks").iterdir()) == []


def test_a_stopped_run_waits_for_nobody(runtime: Runtime) -> None:
    with hold(runtime.home, IDENTITY) as other:
        stopper = threading.Timer(0.05, runtime.stop)
        stopper.start()

        with pytest.raises(SlotsStoppedError), runtime.alone(IDENTITY):
            pytest.fail("two at work")
        other.kill()


def test_stopping_a_run_stops_slots_and_cores(runtime: Runtime) -> None:
    slots, cores = SlotPool([Slot("cuda:0")]), SlotPool([Slot("core:0")])
    runtime.train, runtime.cores = (SlotRunner(runtime.home, pool) for pool in (slots, cores))

    runtime.stop()

    for check in (slots.raise_if_stopped, cores.raise_if_stopped, runtime.raise_if_stopped):
        with pytest.raises(SlotsStoppedError):
            check()


def test_executions_are_listed_in_order_a_line_each(runtime: Runtime) -> None:
    for label in ("a", "b"):
        runtime.record_execution(Request("train", 1, {"x": label}, {}, 0, Subject(name=label)))

    text = (runtime.home / "executions.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["label"] for line in lines] == ["a", "b"]
    assert lines[0]["identity"] == Request("train", 1, {"x": "a"}, {}, 0, Subject(name="")).identity
    assert lines[0]["time"] <= lines[1]["time"]
