"""CPU time of a training step: methods, floor, plain loop, data, and growth with the sizes.

Images are noise, which takes the same time as any others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from figures import Figure, Run, ratio

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
from gradmix.sampling import ImageRows, Stream

SIDE, CLASSES, STORED = 32, 5, 4000


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Sizes of a step: widths of the layers, batch of every source, samples in V, sources."""

    widths: tuple[int, int, int, int] = (16, 16, 32, 32)
    batch: int = 64
    v: int = 25
    sources: int = 2
    hidden: int = 128


NARROW = Setting()
WIDE = Setting(widths=(64, 64, 128, 128), v=10)
DEMO = Setting(widths=(8, 8, 16, 16), batch=32, v=15, hidden=64)


def images(count: int) -> torch.Tensor:
    """Noise [count, 1, 32, 32], channels last like the streams' images."""
    return torch.randn(count, SIDE, SIDE, 1).permute(0, 3, 1, 2)


def problem(sources: int) -> Problem:
    """Two sources as of the digits, the others with the target's classes."""
    spaces = [LabelSpace(tuple("56789")), LabelSpace(tuple("01234"))]
    return Problem(
        {f"S{i + 1}": spaces[i == 1] for i in range(sources)}, LabelSpace(tuple("56789"))
    )


def method_and_inputs(name: str, sizes: Setting) -> tuple[Method, tuple]:
    """A method, and one mini-batch of everything it reads."""
    torch.manual_seed(0)
    shape, of = (1, SIDE, SIDE), problem(sizes.sources)
    hidden = 0 if METHODS[name].needs_map else sizes.hidden
    trunk = ConvTrunk(ConvTrunkConfig(widths=sizes.widths, hidden=hidden), shape)
    heads = {head: len(space.classes) for head, space in of.heads.items()}
    reads = METHODS[name].reads_source
    sources = [source for source, head in of.head_of.items() if reads(head)]
    optimiser = OptimiserConfig(learning_rate=1e-3)
    method = build_method(name, Network(trunk, heads, shape), sources, optimiser, {})
    count = sizes.batch
    batches = [
        Batch(images(count), torch.randint(CLASSES, (count,)), of.head_of[s]) for s in sources
    ]
    target = None
    if method.declaration.uses_target:
        target = Batch(images(sizes.v), torch.randint(CLASSES, (sizes.v,)), "target")
    return method, (batches, target, images(count) if method.declaration.uses_unlabelled else None)


def step_of(name: str, sizes: Setting) -> Run:
    """One step of a method."""
    method, inputs = method_and_inputs(name, sizes)
    return lambda: method.update(*inputs)


def floor_of(sizes: Setting) -> Run:
    """One pass over all data, a norm for each data set, and a plain step: nothing is mixed.

    The trunk's convolutions see one batch of all data; only norms see one data set at a time.
    """
    method, (sources, target, _) = method_and_inputs("joint", sizes)
    batches = [*sources, target]
    counts = [len(batch.images) for batch in batches]
    everything = torch.cat([batch.images for batch in batches])
    network, flat = method.network.train(), method.flat

    def step() -> None:
        flat.zero()
        flat.collect_in(0)
        found = everything
        for module in network.trunk.features:
            norm = isinstance(module, torch.nn.BatchNorm2d)
            found = torch.cat([module(p) for p in found.split(counts)]) if norm else module(found)
        found = network.trunk.relu(network.trunk.hidden(found.flatten(1)))
        pairs = zip(found.split(counts), batches, strict=True)
        sum(hard_loss(network.heads[b.head](part), b.labels) for part, b in pairs).backward()
        flat.set_sum()
        method.step()

    return step


def plain_loop_of(sizes: Setting) -> Run:
    """What one writes without this project: autograd on the summed loss and torch's SGD."""
    method, (sources, _, _) = method_and_inputs("source_only", sizes)
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


def data_of(sizes: Setting) -> Run:
    """Reading and standardising the mini-batches of one step of GradMix."""
    stored = torch.randint(256, (STORED, SIDE, SIDE, 1), dtype=torch.uint8)
    labels, rows = torch.randint(CLASSES, (STORED,)), ImageRows(stored, torch.arange(STORED))
    streams = [Stream(f"S{i}", rows, labels, "S", sizes.batch, i) for i in range(sizes.sources)]
    streams.append(Stream("V", stored[: sizes.v], labels[: sizes.v], "target", 64, 0))
    return lambda: [stream.next() for stream in streams]


def growth() -> Iterator[tuple[str, Setting]]:
    """Settings that differ from the narrow one in one size."""
    for sources in (1, 4, 8):
        yield f"{sources} source{'s' if sources > 1 else ''}", replace(NARROW, sources=sources)
    for v in (5, 100):
        yield f"V of {v}", replace(NARROW, v=v)
    for batch in (16, 256):
        yield f"batches of {batch}", replace(NARROW, batch=batch)


def figures(quick: bool) -> Iterator[Figure]:
    """All of the above."""
    pairs = 15 if quick else 60
    base = step_of("source_only", NARROW)
    for name in METHODS:
        yield ratio(f"`{name}` / `source_only`", step_of(name, NARROW), base, pairs)
    yield ratio("`source_only` / plain PyTorch loop", base, plain_loop_of(NARROW), pairs)
    for title, sizes in (("demo", DEMO), ("64-64-128-128, V of 10", WIDE)):
        under = step_of("source_only", sizes)
        yield ratio(f"`gradmix` / `source_only`, {title}", step_of("gradmix", sizes), under, pairs)
    for title, sizes in (("16-16-32-32", NARROW), ("64-64-128-128, V of 10", WIDE)):
        yield ratio(
            f"`gradmix` / floor, {title}", step_of("gradmix", sizes), floor_of(sizes), pairs
        )
    gradmix = step_of("gradmix", NARROW)
    yield ratio("data / `gradmix`", data_of(NARROW), gradmix, pairs)
    for title, sizes in growth():
        name = f"`gradmix` with {title} / with 2 sources, V of 25, batches of 64"
        yield ratio(name, step_of("gradmix", sizes), gradmix, pairs)
