"""Two processes over one home folder at once: they share the work and the slots."""

import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tasks.storage.artifacts import read_artifact

# Three threads that make all of twelve results, each in one of two slots.
PROCESS = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tasks.storage.artifacts import Request, Store
from tasks.engine.runtime import Runtime, current, use
from tasks.execution.slot_runner import SlotRunner
from tasks.execution.slots import Slot, SlotPool
from tasks.engine.stage import Stage, StageInputs
from tasks.outcome import Outcome
from tasks.subjects import Subject

def describe(inputs):
    return Request("square", 1, {"x": inputs.subject.name}, {}, 0, inputs.subject)

def square(place, inputs):
    label = inputs.subject.name
    with current().cores.slots.take() as slot:
        started = time.monotonic()
        time.sleep(0.02)
        # One write a line: print() writes the line and its end apart, and threads come between.
        sys.stdout.write(json.dumps([slot.name, started, time.monotonic()]) + "\\n")
        sys.stdout.flush()
    (place.output / "square.txt").write_text(label)
    return Outcome({"x": label})

home = Path(sys.argv[1])
here = SlotRunner(home, SlotPool([Slot("cpu:0"), Slot("cpu:1")], home / "locks"))
runtime = Runtime(Store(home), here, here, None, "parent", lambda _: None)

SQUARE = Stage("square", StageInputs, describe, square)

def perform(label):
    with use(runtime):
        return SQUARE.perform(StageInputs(subject=Subject(name=label))).summary["x"]

with ThreadPoolExecutor(3) as pool:
    assert list(pool.map(perform, sys.argv[2:])) == sys.argv[2:]
"""
LABELS = [f"number {number}" for number in range(12)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[Any]]]:
    """The home folder, and of both processes which slot was held from when to when."""
    home = tmp_path_factory.mktemp("home")
    command = [sys.executable, "-P", "-c", PROCESS, str(home)]
    processes = [
        subprocess.Popen([*command, *labels], stdout=subprocess.PIPE, text=True)
        for labels in (LABELS, LABELS[::-1])
    ]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    return home, [[json.loads(line) for line in output.splitlines()] for output in outputs]


def test_every_identity_is_executed_once_by_one_of_them(told) -> None:
    home, outputs = told
    lines = (home / "executions.jsonl").read_text().splitlines()
    assert Counter(json.loads(line)["label"] for line in lines) == dict.fromkeys(LABELS, 1)
    assert sum(len(output) for output in outputs) == len(LABELS)


def test_no_slot_is_held_by_both_at_a_time(told) -> None:
    _, outputs = told
    held = [entry for output in outputs for entry in output]
    for name in ("cpu:0", "cpu:1"):
        times = sorted((start, end) for slot, start, end in held if slot == name)
        assert all(before[1] <= after[0] for before, after in pairwise(times)), name


def test_both_end_with_all_results_and_leave_no_lock(told) -> None:
    home, _ = told
    found = [read_artifact(path) for path in home.glob("artifacts/*/*/result.json")]
    assert {artifact.label for artifact in found} == set(LABELS)
    assert list((home / "locks").iterdir()) == []
    assert list(home.glob("work/*/*")) == []
