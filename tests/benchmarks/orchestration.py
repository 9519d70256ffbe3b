"""Seconds that each engine adds to a cell, with 54 cells; run it by itself, on a quiet machine.

python -P tests/benchmarks/orchestration.py [--engines bare local workers] [--out DIR]

`bare` runs the same processes in the same slots without Prefect and without MLflow: what an engine
takes longer, times the slots, over the cells, is what it adds to a cell. The wall time counts from
the first training's start to the last one's artifact. `workers` needs free ports for `gradmix up`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from data.digest_cache import KnownDigests
from flows.experiment.run_request import RunRequest
from flows.experiment.run_spec import resolve
from flows.pipeline.graph import pipeline
from tasks.codec import replace_leaves
from tasks.engine.runtime import Runtime, use
from tasks.engine.stage import Stage, StageInputs
from tasks.execution.slot_runner import SlotRunner
from tasks.execution.slots import SlotPool
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
    here = SlotRunner(open_home(home), SlotPool.of_this_machine())
    runtime = Runtime(Store(here.home), here, here, NoTracker(), "none", lambda _: None)
    with ThreadPoolExecutor(THREADS) as pool:
        submit = Threads(runtime, pool)
        pipeline(order.experiment, order.raw, submit)
        for future in submit.futures:
            future.result()


def gradmix(*words: str) -> None:
    """The command as a user types it."""
    subprocess.run(
        [sys.executable, "-P", "-m", "deploy.cli", *words], check=True, stdout=sys.stderr
    )


def run(engine: str, home: Path) -> float:
    """The whole reproduction on an engine; seconds."""
    words = ["reproduce", str(EXPERIMENT), "--scale", SCALE, "--home", str(home)]
    if engine == "workers":
        gradmix("up", "--home", str(home))
    started = time.perf_counter()
    try:
        if engine == "bare":
            bare(home)
        else:
            gradmix(*words, "--engine", engine)
        return time.perf_counter() - started
    finally:
        if engine == "workers":
            gradmix("down", "--home", str(home))


def trainings(home: Path) -> dict[str, float]:
    """Of the cells: how many, seconds from the first start to the last end, seconds of steps."""
    lines = (home / "executions.jsonl").read_text(encoding="utf-8").splitlines()
    begun = [entry for line in lines if (entry := json.loads(line))["stage"] == "train"]
    cells = [entry for entry in begun if "beta=" in entry["label"]]
    results = [
        home / "artifacts" / "train" / entry["identity"][:32] / "result.json" for entry in cells
    ]
    return {
        "cells": len(cells),
        "wall": max(path.stat().st_mtime for path in results) - cells[0]["time"],
        "steps": sum(read_artifact(path).notes["seconds"] for path in results),
        "bytes": sum(file.stat().st_size for path in results for file in path.parent.iterdir())
        / len(results),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", nargs="+", default=["bare", "local", "workers"])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp(prefix="cells-"))
    slots = len(SlotPool.of_this_machine().slots)
    base = None
    for engine in options.engines:
        whole = run(engine, out / engine)
        found = trainings(out / engine)
        base = found["wall"] if base is None else base
        added = (found["wall"] - base) * slots / found["cells"]
        print(  # noqa: T201 - its result
            f"{engine:8}  {found['cells']:.0f} cells  wall {found['wall']:.1f} s of {whole:.1f} s  "
            f"steps {found['steps'] / found['cells']:.2f} s a cell  added {added:+.2f} s a cell  "
            f"{found['bytes'] / 1024:.0f} KiB a cell"
        )


if __name__ == "__main__":
    main()
