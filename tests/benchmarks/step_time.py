"""Time of a step of every method over that of source only, in pairs; run it by itself.

python -P tests/benchmarks/step_time.py [--pairs 60] [--widths 16 16 32 32] [--v 25]

Steps of a method and of source only alternate on the same mini-batches, so that whatever else the
machine does falls on both; the figure is the median of the pairs' ratios with its quartiles. One
thread, as in a CPU slot. Images are noise: a step takes the same time on all images.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence

import torch

from gradmix import (
    METHODS,
    Batch,
    ConvTrunk,
    ConvTrunkConfig,
    LabelSpace,
    Method,
    Network,
    OptimiserConfig,
    Problem,
    build_method,
)

BATCH, SIZE, WARM_UP = 64, 32, 3
PROBLEM = Problem(
    {"S1": LabelSpace(tuple("56789")), "S2": LabelSpace(tuple("01234"))},
    LabelSpace(tuple("56789")),
)


def images(count: int) -> torch.Tensor:
    """Noise [count, 1, 32, 32], channels last as the streams give it."""
    return torch.randn(count, SIZE, SIZE, 1).permute(0, 3, 1, 2)


def method_and_inputs(name: str, widths: Sequence[int], v: int) -> tuple[Method, tuple]:
    """A method, and a mini-batch of everything that it reads."""
    torch.manual_seed(0)
    shape = (1, SIZE, SIZE)
    hidden = 0 if METHODS[name].method.needs_map else 128
    trunk = ConvTrunk(ConvTrunkConfig(widths=tuple(widths), hidden=hidden), shape)
    heads = {head: len(space.classes) for head, space in PROBLEM.heads.items()}
    reads = METHODS[name].method.reads_source
    sources = [source for source, head in PROBLEM.head_of.items() if reads(head)]
    optimiser = OptimiserConfig(learning_rate=1e-3)
    method = build_method(name, Network(trunk, heads, shape), sources, optimiser, {})
    batches = [
        Batch(images(BATCH), torch.randint(5, (BATCH,)), PROBLEM.head_of[s]) for s in sources
    ]
    target = Batch(images(v), torch.randint(5, (v,)), "target") if method.uses_target else None
    return method, (batches, target, images(BATCH) if method.uses_unlabelled else None)


def seconds(method: Method, inputs: tuple) -> float:
    """Wall clock of one step."""
    started = time.perf_counter()
    method.update(*inputs)
    return time.perf_counter() - started


def main() -> None:
    """Print a line for every method."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--widths", type=int, nargs=4, default=[16, 16, 32, 32])
    parser.add_argument("--v", type=int, default=25)
    given = parser.parse_args()
    torch.set_num_threads(1)
    base = method_and_inputs("source_only", given.widths, given.v)
    write = sys.stdout.write
    write(
        f"{given.pairs} pairs; ratio: median of method / source only within a pair, so that it is\n"
    )
    write("not the ratio of two medians; the line of source_only against itself shows the noise.\n")
    write(f"{'method':18} {'ms':>8} {'ratio':>6}  quartiles\n")
    for name in METHODS:
        other = method_and_inputs(name, given.widths, given.v)
        pairs = [(seconds(*base), seconds(*other)) for _ in range(WARM_UP + given.pairs)][WARM_UP:]
        low, middle, high = statistics.quantiles([b / a for a, b in pairs], n=4)
        milliseconds = 1000 * statistics.median(b for _, b in pairs)
        write(f"{name:18} {milliseconds:8.1f} {middle:6.2f}  {low:.2f} to {high:.2f}\n")


if __name__ == "__main__":
    main()
