"""What a step costs, in thread CPU time and in pairs: methods, floor, plain loop, solvers.

python -P tests/benchmarks/step_time.py [--pairs 60] [--widths 16 16 32 32] [--v 25] [--only steps]

Run in the environment of a CPU slot (allocator settings, one thread), which is entered by starting
again. The two sides of a row alternate on the same mini-batches, so that whatever else the machine
does falls on both; a row is the median of the pairs' ratios with its quartiles. Images are noise: a
step takes the same time on all images.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
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
from gradmix.losses import hard_loss
from gradmix.solving.solvers import solve_layer, solver_named
from tasks.execution.environment import training_environment

BATCH, SIZE, WARM_UP = 64, 32, 3
PROBLEM = Problem(
    {"S1": LabelSpace(tuple("56789")), "S2": LabelSpace(tuple("01234"))},
    LabelSpace(tuple("56789")),
)

Run = Callable[[], object]


def in_a_slot() -> None:
    """Start again with the variables of a CPU slot, unless they are there."""
    slot = training_environment("")
    if any(os.environ.get(name) != value for name, value in slot.items()):
        words = [sys.executable, "-P", *sys.argv]
        os.execve(sys.executable, words, {**os.environ, **slot})  # noqa: S606  # this script again
    torch.set_num_threads(1)


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


def step_of(name: str, widths: Sequence[int], v: int) -> Run:
    """One step of a method."""
    method, inputs = method_and_inputs(name, widths, v)
    return lambda: method.update(*inputs)


def floor_of(widths: Sequence[int], v: int) -> Run:
    """One pass over all data, a norm for each data set, and a plain step: nothing is mixed.

    The trunk's convolutions see one batch of all data; only norms see one data set at a time.
    """
    method, (sources, target, _) = method_and_inputs("joint", widths, v)
    batches = [*sources, target]
    sizes = [len(batch.images) for batch in batches]
    everything = torch.cat([batch.images for batch in batches])
    network, flat = method.network.train(), method.flat

    def step() -> None:
        flat.zero()
        flat.collect_in(0)
        found = everything
        for module in network.trunk.features:
            norm = isinstance(module, torch.nn.BatchNorm2d)
            found = torch.cat([module(p) for p in found.split(sizes)]) if norm else module(found)
        found = network.trunk.relu(network.trunk.hidden(found.flatten(1)))
        pairs = zip(found.split(sizes), batches, strict=True)
        sum(hard_loss(network.heads[b.head](part), b.labels) for part, b in pairs).backward()
        flat.set_sum()
        method.step()

    return step


def plain_loop_of(widths: Sequence[int], v: int) -> Run:
    """What one writes without this project: autograd on the summed loss and torch's SGD."""
    method, (sources, _, _) = method_and_inputs("source_only", widths, v)
    network = method.network.train()
    for parameter in network.parameters():
        parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
        parameter.grad = None
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)

    def step() -> None:
        optimiser.zero_grad()
        sum(hard_loss(network(b.images, b.head), b.labels) for b in sources).backward()
        optimiser.step()

    return step


def solver_of(name: str, k: int) -> Run:
    """A solver on 20 layers of k sources that share a direction."""
    rng = np.random.default_rng(k)
    base = rng.normal(size=200)
    grams = []
    for _ in range(20):
        rows = 0.6 * rng.normal(size=(k + 1, 200)) + rng.uniform(-0.4, 0.8, size=(k + 1, 1)) * base
        grams.append((rows @ rows.T).tolist())
    solver = solver_named(name)
    return lambda: [solve_layer(gram, solver) for gram in grams]


def thread_seconds(run: Run) -> float:
    """CPU time of this thread in one run."""
    started = time.thread_time()
    run()
    return time.thread_time() - started


def row(name: str, over: Run, under: Run, pairs: int, per: int = 1) -> str:
    """A line with the time of `over` and its ratio to `under`; each run does `per` of a thing."""
    seen = [(thread_seconds(under), thread_seconds(over)) for _ in range(WARM_UP + pairs)][WARM_UP:]
    low, middle, high = statistics.quantiles([b / a for a, b in seen], n=4)
    micros = 1e6 * statistics.median(b for _, b in seen) / per
    return f"{name:32} {micros:10.0f} {middle:6.2f}  {low:.2f} to {high:.2f}\n"


def rows(given: argparse.Namespace) -> Iterator[str]:
    """All lines that are asked for."""
    net, pairs = (given.widths, given.v), given.pairs
    if given.only != "solvers":
        base = step_of("source_only", *net)
        for name in METHODS:
            yield row(f"{name} / source_only", step_of(name, *net), base, pairs)
        yield row("source_only / plain loop", base, plain_loop_of(*net), pairs)
        yield row("gradmix / floor", step_of("gradmix", *net), floor_of(*net), pairs)
    if given.only != "steps":
        for k in (2, 3, 5, 10):
            runs = solver_of("exact", k), solver_of("slsqp", k)
            yield row(f"exact / slsqp, a layer, k = {k}", *runs, pairs, per=20)


def main() -> None:
    """Print a line for every row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--widths", type=int, nargs=4, default=[16, 16, 32, 32])
    parser.add_argument("--v", type=int, default=25)
    parser.add_argument("--only", choices=["steps", "solvers"])
    given = parser.parse_args()
    in_a_slot()
    write = sys.stdout.write
    load = os.getloadavg()[0]
    write(
        f"{given.pairs} pairs, widths {given.widths}, V of {given.v}, torch {torch.__version__}, "
    )
    write(f"{os.cpu_count()} cores, load {load:.1f}\n")
    write("ratio: median within pairs; source_only / source_only shows the noise\n")
    write(f"{'row':32} {'CPU us':>10} {'ratio':>6}  quartiles\n")
    for line in rows(given):
        write(line)
        sys.stdout.flush()
    write(f"load at the end {os.getloadavg()[0]:.1f}\n")


if __name__ == "__main__":
    main()
