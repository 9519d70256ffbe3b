"""Time and memory of a step of `Mixer` in terms of k + 1 plain passes.

The plain step makes the same k + 1 forward and backward passes into one gradient, and the same
optimiser step: the rest is the mixing. Memory is the peak of a process of its own over what it
holds before the first step, activations included, in gradients (one gradient: every trained number
once).
"""

import multiprocessing
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
from figures import Figure, Run, once, ratio
from torch import nn

from gradmix import Mixer

SIDE, CLASSES, BATCH = 32, 10, 16
WAYS = {
    "plain passes": {},
    "`Mixer`": {"every": 1},
    "`Mixer(every=10)`": {"every": 10},
}
PLAIN = "plain passes"


def resnet18() -> nn.Module:
    """torchvision's, with random weights."""
    return torchvision.models.resnet18(num_classes=CLASSES)


def wide_mlp() -> nn.Module:
    """10.5 million weights in 3 layers: nearly nothing but gradients."""
    layers = [nn.Linear(3072, 2048), nn.ReLU(), nn.Linear(2048, 2048), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(2048, CLASSES))


def deep_mlp() -> nn.Module:
    """66 small layers: nearly nothing but layers."""
    layers = [part for _ in range(64) for part in (nn.Linear(64, 64), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 64), *layers, nn.Linear(64, CLASSES))


MODELS = {"ResNet-18": resnet18, "wide MLP": wide_mlp, "MLP of 66 layers": deep_mlp}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A model, the number of its sources, and how they are mixed."""

    make: Callable[[], nn.Module]
    sources: int
    way: str


def step_of(sizes: Setting) -> tuple[Run, int]:
    """One training step of a fresh model, and the bytes of one gradient."""
    torch.manual_seed(0)
    model = sizes.make()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    sources = [f"S{i + 1}" for i in range(sizes.sources)]
    data = [torch.randn(BATCH, 3, SIDE, SIDE) for _ in range(sizes.sources + 1)]
    labels = torch.zeros(BATCH).long()
    mixer = Mixer(model, sources, **WAYS[sizes.way])

    def backward(batch: torch.Tensor) -> None:
        nn.functional.cross_entropy(model(batch), labels).backward()

    def plain() -> None:
        optimizer.zero_grad()
        for batch in data:
            backward(batch)
        optimizer.step()

    def mixed() -> None:
        optimizer.zero_grad()
        for name, batch in zip(sources, data, strict=False):
            with mixer.source(name):
                backward(batch)
        if mixer.due:
            with mixer.target():
                backward(data[-1])
        mixer.mix()
        optimizer.step()

    size = 4 * sum(p.numel() for p in model.parameters())
    return (plain if sizes.way == PLAIN else mixed), size


def _memory(what: str) -> int:
    """Bytes in use (`VmRSS`) or at the highest (`VmHWM`)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kilobytes,) = re.findall(rf"^{what}:\s+(\d+) kB$", status, re.MULTILINE)
    return 1024 * int(kilobytes)


def _gradients_at_peak(sizes: Setting) -> float:
    """Peak of three steps over the memory before them, in gradients."""
    step, size = step_of(sizes)
    # Linux forgets the peak so far.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _memory("VmRSS")
    for _ in range(3):
        step()
    return (_memory("VmHWM") - before) / size


def figures(quick: bool) -> Iterator[Figure]:
    """Memory first: its processes are forked before this one has used any."""
    ways = [way for way in WAYS if way != PLAIN]
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        for way in WAYS:
            sizes = Setting(make=resnet18, sources=2, way=way)
            peak = pool.apply(_gradients_at_peak, (sizes,))
            yield once(f"memory of {way}, ResNet-18, 2 sources", peak, "gradients")
    pairs = 5 if quick else 20
    for title, make in MODELS.items():
        for way in ways:
            over, _ = step_of(Setting(make=make, sources=2, way=way))
            under, _ = step_of(Setting(make=make, sources=2, way=PLAIN))
            yield ratio(f"{way} / plain passes, {title}, 2 sources", over, under, pairs)
    for sources in (1, 5):
        over, _ = step_of(Setting(make=resnet18, sources=sources, way="`Mixer`"))
        under, _ = step_of(Setting(make=resnet18, sources=sources, way=PLAIN))
        count = f"{sources} source{'s' if sources > 1 else ''}"
        yield ratio(f"`Mixer` / plain passes, ResNet-18, {count}", over, under, pairs)
