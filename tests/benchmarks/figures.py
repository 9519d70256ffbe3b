"""What a benchmark measures, and the ways to measure it."""

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from tasks.execution.environment import training_environment

Run = Callable[[], object]

WARM_UP = 3


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured figure; smaller is better.

    Attributes:
        name: what was measured; identifies the figure in the stored table.
        value: median, or the only value.
        unit: unit of the value; `x` for a ratio.
        low: lower quartile; the value itself if it was measured once.
        high: upper quartile.
        n: number of measurements.
        detail: what else there is to say, for example the absolute time behind a ratio.
    """

    name: str
    value: float
    unit: Literal["x", "us", "ms", "s", "MiB", "gradients", "%"]
    low: float
    high: float
    n: int
    detail: str = ""


def once(name: str, value: float, unit: str, detail: str = "") -> Figure:
    """A figure that was measured once."""
    return Figure(name=name, value=value, unit=unit, low=value, high=value, n=1, detail=detail)


def several(name: str, values: Sequence[float], unit: str, detail: str = "") -> Figure:
    """Median and quartiles of repeated measurements."""
    low, middle, high = statistics.quantiles(values, n=4)
    return Figure(
        name=name, value=middle, unit=unit, low=low, high=high, n=len(values), detail=detail
    )


def thread_seconds(run: Run) -> float:
    """CPU time of this thread in one run."""
    started = time.thread_time()
    run()
    return time.thread_time() - started


def ratio(name: str, over: Run, under: Run, pairs: int, per: int = 1) -> Figure:
    """CPU time of `over` in terms of `under`, which take turns; each run does `per` of a thing.

    What else the machine does falls on both sides of a pair. The detail is the median time of one
    thing of `over`.
    """
    measured = [(thread_seconds(under), thread_seconds(over)) for _ in range(WARM_UP + pairs)]
    kept = measured[WARM_UP:]
    micros = 1e6 * statistics.median(b for _, b in kept) / per
    took = f"{micros:,.0f} us" if micros < 10_000 else f"{micros / 1000:,.1f} ms"
    return several(name, [b / a for a, b in kept], "x", took)


def in_a_slot() -> None:
    """Start again with the variables of a CPU slot, unless they are set; one thread."""
    slot = training_environment("")
    if any(os.environ.get(name) != value for name, value in slot.items()):
        words = [sys.executable, "-P", *sys.argv]
        os.execve(sys.executable, words, {**os.environ, **slot})  # noqa: S606  # this script again
    torch.set_num_threads(1)
