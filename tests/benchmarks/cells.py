"""What an engine adds to each of 54 trainings of two seconds; for a quiet machine.

`bare` runs the same processes in the same slots without Prefect and MLflow: what an engine takes
longer, times the slots, over the cells, is what it adds to a cell. Wall time counts from the first
training's start to the last one's artifact. `workers` needs free ports for `gradmix up`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from figures import Figure, once

from data.digest_cache import KnownDigests
from flows.experiment.run_request import RunRequest
from flows.experiment.run_spec import resolve
from flows.pipeline.graph import pipeline
from tasks.codec import replace_leaves
from tasks.engine.runtime import Runtime, use
from tasks.engine.stage import Stage, StageInputs
from tasks.execution.slot_runner import SlotRunner
from tasks.execution.slots import SlotPool
from tasks.execution.template import Template
from tasks.storage.artifacts import Artifact, Store, read_artifact
from tasks.storage.home import open_home

EXPERIMENT = Path(__file__).with_name("cells.toml")
SCALE = "cells"
THREADS = 128


class NoTracker:
    """Takes every call of a tracker and tells nobody."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: "none"


class Threads:
    """A `Submit` on threads alone."""

    def __init__(self, runtime: Runtime, pool: ThreadPoolExecutor) -> None:
        self._runtime, self._pool = runtime, pool
        self.futures: list[Future[Artifact]] = []

    def __call__(
        self, stage: Stage[Any], inputs: StageInputs, after: Sequence[Any] = ()
    ) -> "Future[Artifact]":
        def run() -> Artifact:
            for future in after:
                future.result()
            with use(self._runtime):
                return stage.perform(replace_leaves(inputs, Future, Future.result))

        self.futures.append(self._pool.submit(run))
        return self.futures[-1]


def bare(home: Path) -> None:
    """The pipeline without Prefect and MLflow."""
    order = resolve(RunRequest(experiment=str(EXPERIMENT), scale=SCALE), KnownDigests())
    with ThreadPoolExecutor(THREADS) as pool, Template() as template:
        here = SlotRunner(open_home(home), SlotPool.of_this_machine(), template)
        runtime = Runtime(Store(here.home), here, here, NoTracker(), "none", lambda _: None)
        submit = Threads(runtime, pool)
        pipeline(order.experiment, order.raw, submit)
        for future in submit.futures:
            future.result()


def gradmix(*words: str) -> None:
    """The command as a user types it."""
    command = [sys.executable, "-P", "-m", "deploy.cli", *words]
    subprocess.run(command, check=True, stdout=sys.stderr)


def run(engine: str, home: Path) -> float:
    """The whole reproduction on an engine; CPU seconds of its processes, those of a fleet aside."""
    words = ["reproduce", str(EXPERIMENT), "--scale", SCALE, "--home", str(home)]
    before = os.times()
    if engine == "bare":
        bare(home)
    elif engine == "local":
        gradmix(*words)
    else:
        gradmix("up", "--home", str(home))
        try:
            gradmix(*words, "--engine", engine)
        finally:
            gradmix("down", "--home", str(home))
    after = os.times()
    return sum(after[:4]) - sum(before[:4])


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The cells of a home.

    Attributes:
        cells: how many.
        first: seconds since the epoch at which the first training took a slot.
        wall: seconds from the first start to the last artifact.
        steps: seconds of steps, in all.
        size: mean bytes of an artifact.
    """

    cells: int
    first: float
    wall: float
    steps: float
    size: float

    @classmethod
    def of(cls, home: Path) -> Self:
        """Read the trainings of the grid."""
        lines = (home / "executions.jsonl").read_text(encoding="utf-8").splitlines()
        begun = [entry for line in lines if (entry := json.loads(line))["stage"] == "train"]
        cells = [entry for entry in begun if "beta=" in entry["label"]]
        results = [
            home / "artifacts" / "train" / entry["identity"][:32] / "result.json" for entry in begun
        ]
        ends = {path: path.stat().st_mtime for path in results}
        seconds = {path: read_artifact(path).notes["seconds"] for path in results}
        grid = [path for path, entry in zip(results, begun, strict=True) if entry in cells]
        files = [file.stat().st_size for path in grid for file in path.parent.iterdir()]
        return cls(
            cells=len(grid),
            first=min(entry["time"] for entry in begun),
            wall=max(ends[path] for path in grid) - cells[0]["time"],
            steps=sum(seconds[path] for path in grid),
            size=sum(files) / len(grid),
        )


def figures(quick: bool) -> Iterator[Figure]:
    """Each engine once; quick leaves out the fleet."""
    slots = len(SlotPool.of_this_machine().slots)
    base = None
    with tempfile.TemporaryDirectory(prefix="cells-") as out:
        for engine in ("bare", "local") if quick else ("bare", "local", "workers"):
            started, home = time.time(), Path(out) / engine
            cpu = run(engine, home)
            found = Measured.of(home)
            detail = f"{found.cells} cells, {found.steps / found.cells:.2f} s of steps each"
            if base is None:
                base = found.wall
                yield once("54 cells as processes alone, wall", base, "s", detail)
                continue
            added = (found.wall - base) * slots / found.cells
            yield once(f"added to a cell by `{engine}`, wall", added, "s", detail)
            if engine == "local":
                yield once("command to first training", found.first - started, "s")
                yield once("CPU of a reproduction of 54 cells", cpu, "s")
