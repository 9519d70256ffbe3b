"""CPU time of a training of one step: in a new interpreter, or forked from the template."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
from figures import Figure, several

from data.reader import RawImages
from data.tables.prepared import save_prepared
from data.tables.split import split_target
from data.tables.split_file import save_split
from tasks.execution.attempts import job_command
from tasks.execution.environment import training_environment
from tasks.execution.launch import Launch, fresh
from tasks.execution.template import Template
from tasks.jobs.files import write_job
from tasks.jobs.inputs.streams import SourceSet
from tasks.jobs.inputs.train import TrainingSettings, TrainJob
from tasks.networks.description import NetworkDescription

CLASSES = ("a", "b")
SETTINGS = TrainingSettings(steps=1, validate_every=1, batch_size=8, v_whole_up_to=64)
NETWORK = NetworkDescription(
    trunk="convnet",
    settings={"widths": [4, 4, 4, 4], "hidden": 8, "norm": "batch"},
    normalisation="image",
)


def write_data(home: Path) -> None:
    """A small prepared set, with the roles of its samples."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(2), 50)
    images = rng.integers(256, size=(100, 32, 32, 1), dtype=np.uint8)
    raw = RawImages(images=images, labels=labels, classes=CLASSES, origin="noise", official=False)
    save_prepared(raw, home / "data", sealed=False)
    split = split_target(
        labels, CLASSES, CLASSES, hyper_validation=8, v_per_class=3, seed=0, draw=0
    )
    (home / "split").mkdir()
    save_split(split, home / "split" / "split.parquet")


def write_training(folder: Path, home: Path) -> Path:
    """A job of one step."""
    (folder / "output").mkdir(parents=True)
    job = TrainJob(
        network=NETWORK,
        heads={"target": CLASSES},
        seed=0,
        method="source_only",
        settings={},
        learning_rate=0.01,
        momentum=0.9,
        target=home / "data",
        split=home / "split",
        classes=CLASSES,
        source_sets=(SourceSet(name="S1", data=home / "data", classes=CLASSES, head="target"),),
        training=SETTINGS,
    )
    write_job(folder, job, home)
    return folder


def cpu_of_children() -> float:
    """CPU seconds of all children that have ended, and of those of the children still alive."""
    mine = os.times()
    alive = [child.cpu_times() for child in psutil.Process().children()]
    return (
        mine.children_user
        + mine.children_system
        + sum(times.children_user + times.children_system for times in alive)
    )


def runs(launch: Launch, home: Path, count: int, name: str) -> list[float]:
    """CPU seconds of each of some trainings of one step; the first one is not counted."""
    found = []
    for number in range(count + 1):
        folder = write_training(home / f"{name}-{number}", home)
        before = cpu_of_children()
        child = launch(
            job_command("train", folder, home), folder / "log.txt", home, training_environment("")
        )
        if child.wait(None) != 0:
            raise RuntimeError((folder / "log.txt").read_text(encoding="utf-8"))
        child.kill()
        settled(before)
        found.append(cpu_of_children() - before)
    return found[1:]


def settled(before: float) -> None:
    """Wait until the kernel has added the child's time to its parent's."""
    while cpu_of_children() == before:
        time.sleep(0.01)


def figures(quick: bool) -> Iterator[Figure]:
    """One training after the other, on a machine that may be busy: CPU time hardly minds."""
    count = 4 if quick else 15
    with tempfile.TemporaryDirectory() as place, Template() as template:
        home = Path(place)
        write_data(home)
        ways: dict[str, Callable[..., object]] = {"a new process": fresh, "a fork": template}
        for name, launch in ways.items():
            found = runs(launch, home, count, name.replace(" ", "-"))
            yield several(f"training of one step in {name}, CPU", found, "s")
