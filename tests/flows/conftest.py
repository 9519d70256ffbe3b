"""A tiny experiment, raw files in the official formats, and stand-ins for Prefect."""

import gzip
import json
import os
import struct
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from data.digest_cache import KnownDigests
from data.errors import DataError
from flows.experiment.run_request import RunRequest
from flows.experiment.run_spec import resolve
from flows.pipeline.graph import pipeline
from tasks.codec import leaves
from tasks.engine.runtime import Runtime, use
from tasks.execution.slot_runner import SlotRunner
from tasks.execution.slots import Slot, SlotPool
from tasks.storage.artifacts import Artifact, Store
from tasks.storage.home import open_home
from tests.flows.imitation import Imitation, Made, resolved

TINY = Path(__file__).with_name("tiny.toml")


@pytest.fixture(scope="session")
def tiny_text():
    """The text of the tiny experiment file."""
    return TINY.read_text(encoding="utf-8")


@pytest.fixture
def tiny(tmp_path, tiny_text):
    """Path of the tiny experiment file, after replacements: `tiny(("k = [2]", "k = [3]"))`."""

    def write(*replacements):
        text = tiny_text
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "tiny.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def tiny_order(tiny):
    """The order of the tiny experiment; keywords are those of an invocation."""

    def order(*replacements, **words):
        path = tiny(*replacements)
        return resolve(RunRequest(**{"experiment": path, "scale": "tiny", **words}), KnownDigests())

    return order


def write_raw_files(root):
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 10
    for prefix in ("train", "t10k"):
        folder = root / "MNIST" / "raw"
        folder.mkdir(parents=True, exist_ok=True)
        for kind, array in (
            ("images-idx3", rng.integers(0, 256, (300, 28, 28))),
            ("labels-idx1", labels),
        ):
            header = struct.pack(f">{array.ndim + 1}I", 0x0800 | array.ndim, *array.shape)
            body = gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)
            (folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(body)
    (root / "SVHN").mkdir()
    content = {
        "X": rng.integers(0, 256, (32, 32, 3, 300), dtype=np.uint8),
        "y": np.where(labels == 0, 10, labels).astype(np.uint8)[:, np.newaxis],
    }
    scipy.io.savemat(root / "SVHN" / "train_32x32.mat", content)
    return root


@pytest.fixture(scope="session")
def write_raw():
    """Write official-format MNIST and SVHN files, 30 images a class and split, under a folder."""
    return write_raw_files


@pytest.fixture
def raw_files(tmp_path):
    """A folder with such files."""
    return write_raw_files(tmp_path / "raw")


class NoTracker:
    """Takes every call of a tracker and tells nobody."""

    def __getattr__(self, name):
        return lambda *_, **__: "run"


class UpToTraining:
    """A `Submit` that prepares and splits for real, and notes which trainings would start.

    As with Prefect, nothing starts when something that it depends on could not finish.
    """

    def __init__(self, runtime):
        self.runtime = runtime
        self.errors, self.started = [], []

    def __call__(self, stage, inputs, after=()):
        label = inputs.subject.label
        if any(future.error for future in leaves([inputs, *after], Made)):
            return Made(label, error="waits")
        if stage.name not in {"prepare", "split"}:
            self.started.append(label)
            return Made(label, error="not made here")
        try:
            with use(self.runtime):
                return Made(label, stage.perform(resolved(inputs)))
        except DataError as error:
            self.errors.append(f"{label}: {error}")
            return Made(label, error=error)


@pytest.fixture
def imitate():
    """Fill a home folder with made-up results of an order; returns the pipeline's futures."""

    def run(order, home, **words):
        home.mkdir(parents=True, exist_ok=True)
        return pipeline(order.experiment, order.raw, Imitation(home, order.scope, **words))

    return run


@pytest.fixture
def up_to_training(tmp_path):
    """Run an order's stages up to the trainings; returns the errors and what would be trained."""

    def run(order):
        home = open_home(tmp_path / "home")
        here = SlotRunner(home, SlotPool([Slot("cpu:0")]))
        runtime = Runtime(Store(home), here, here, NoTracker(), "parent", lambda _: None)
        submit = UpToTraining(runtime)
        pipeline(order.experiment, order.raw, submit)
        return submit.errors, submit.started

    return run


@pytest.fixture
def an_artifact():
    """A training's artifact for events, with the hyper-validation accuracy that is given."""

    def make(accuracy=0.5, identity="1" * 64, **notes):
        summary = {"accuracy": accuracy}
        return Artifact("label", identity, "2" * 64, "folder", {}, summary, notes)

    return make


class Clock:
    """Steady time that passes when the test says so."""

    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """The clock of boards and status files."""
    clock = Clock()
    monkeypatch.setattr("flows.monitoring.counts.time", clock)
    monkeypatch.setattr("flows.monitoring.status_file.time", clock)
    return clock


class Command:
    """The `gradmix` command in a process of its own, as a user starts it."""

    def __init__(self, processes_over, home, *arguments):
        self.home = Path(home)
        self.processes = partial(processes_over, self.home)
        self.arguments = [sys.executable, "-P", "-m", "deploy.cli", *arguments, "--home", str(home)]
        self.started = 0.0
        hidden = ("PREFECT_", "MLFLOW_")
        self.environment = {key: v for key, v in os.environ.items() if not key.startswith(hidden)}

    def start(self):
        self.started = time.time()
        self.process = subprocess.Popen(
            self.arguments,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=self.home.parent,
        )
        return self

    def wait(self, limit_s=300):
        self.out, self.err = self.process.communicate(timeout=limit_s)
        self.code = self.process.returncode
        return self

    def kill_when(self, ready, limit_s=300):
        """kill -9 of the command alone, as soon as `ready()`; returns what that gave."""
        deadline = time.monotonic() + limit_s
        while not (found := ready()):
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        self.process.kill()
        self.wait()
        self.killed = time.time()
        return found

    def checkpoints(self, wanted=lambda job: True):
        """Folders of the trainings that this process has brought to a checkpoint."""
        found = []
        for path in self.home.glob("work/train/*/checkpoint.pt"):
            try:
                new = path.stat().st_mtime > self.started
                if new and wanted(json.loads((path.parent / "job.json").read_text())):
                    found.append(path.parent)
            except FileNotFoundError:
                continue
        return found

    def left_over(self, limit_s=5):
        """Command lines of processes that work in the home folder, once they had time to go."""
        deadline = time.monotonic() + limit_s
        while (found := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found


@pytest.fixture(scope="session")
def command(processes_over):
    """Maker of commands: `command(home, "reproduce", "digits")`."""
    return partial(Command, processes_over)
