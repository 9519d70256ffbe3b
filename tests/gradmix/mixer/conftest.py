"""Small models, the mini-batches of two sources and of a target, and a plain reference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from gradmix import Mixer, Step, mixing_weights

Batch = tuple[Tensor, Tensor]
Scaled = Callable[[Tensor], Tensor]
SOURCES = ("web", "sport")


class SmallNet(nn.Module):
    """Convolution, batch norm, convolution, last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3)
        self.last = nn.Linear(64, 3)

    def forward(self, x: Tensor) -> Tensor:
        found = torch.relu(self.norm(self.first(x)))
        return self.last(torch.relu(self.second(found)).flatten(1))


@dataclass
class Loop:
    """A typical training loop with a mixer."""

    mixer: Mixer
    model: Callable[..., Tensor]

    def passes(self, batches: Sequence[Batch], scaled: Scaled = lambda loss: loss) -> None:
        *sources, target = batches
        for name, batch in zip(self.mixer.sources, sources, strict=True):
            with self.mixer.source(name):
                self.backward(batch, scaled)
        with self.mixer.target():
            self.backward(target, scaled)

    def backward(self, batch: Batch, scaled: Scaled = lambda loss: loss) -> None:
        images, labels = batch
        scaled(nn.functional.cross_entropy(self.model(images), labels)).backward()

    def mixed(self, batches: Sequence[Batch]) -> Step:
        self.passes(batches)
        return self.mixer.mix()


def _batches(seed: int = 0, dtype: torch.dtype = torch.float32) -> list[Batch]:
    """Mini-batches of two sources and of the target."""
    generator = torch.Generator().manual_seed(seed)
    return [
        (
            torch.randn(size, 2, 8, 8, generator=generator, dtype=torch.float64).to(dtype),
            torch.randint(3, (size,), generator=generator),
        )
        for size in (6, 5, 4)
    ]


def _gradients(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """Gradients of one mini-batch by autograd; zero where it reaches nothing."""
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
    value = nn.functional.cross_entropy(model(batch[0]), batch[1])
    found = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
    return {
        name: torch.zeros_like(parameter) if gradient is None else gradient
        for (name, parameter), gradient in zip(parameters.items(), found, strict=True)
    }


def _by_hand(
    model: nn.Module, batches: Sequence[Batch], layers: dict[str, tuple[str, ...]]
) -> dict[str, Tensor]:
    """The mixture of Eq. 6 and 10 in the named layers, spelled out; the plain sum elsewhere."""
    *sources, target = (_gradients(model, batch) for batch in batches)
    mixed = {name: sum(g[name] for g in [*sources, target]) for name in target}
    for names in layers.values():
        rows = [torch.cat([g[name].flatten() for name in names]) for g in [*sources, target]]
        weights = mixing_weights(torch.stack(rows[:-1]).double(), rows[-1].double())
        for name in names:
            mixed[name] = sum(w * g[name] for w, g in zip(weights.tolist(), sources, strict=True))
    return mixed


LAYERS = {
    "first": ("first.weight", "first.bias", "norm.weight", "norm.bias"),
    "second": ("second.weight", "second.bias"),
    "last": ("last.weight", "last.bias"),
}


@pytest.fixture
def small_net() -> Callable[..., SmallNet]:
    return lambda dtype=torch.float32: SmallNet().to(dtype)


@pytest.fixture
def batches() -> Callable[..., list[Batch]]:
    return _batches


@pytest.fixture
def gradients() -> Callable[..., dict[str, Tensor]]:
    return _gradients


@pytest.fixture
def by_hand() -> Callable[..., dict[str, Tensor]]:
    """Reference mixture: `by_hand(model, batches)`, of `SmallNet` without heads."""
    return lambda model, found, layers=None: _by_hand(model, found, layers or LAYERS)


@pytest.fixture
def loop() -> Callable[..., Loop]:
    """`loop(model, **settings)`: a mixer of two sources around a model."""
    return lambda model, **settings: Loop(Mixer(model, SOURCES, **settings), model)
