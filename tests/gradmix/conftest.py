"""A toy problem for the core: two sources, a target, a network of a few hundred weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gradmix.declarations.methods import method_named
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.declarations.trunk import ConvTrunkConfig
from gradmix.method import Method
from gradmix.methods import build_method
from gradmix.networks import ConvTrunk, Network
from gradmix.problem import TARGET_HEAD, LabelSpace, Problem
from gradmix.sampling import Batch, Stream, UnlabelledStream
from gradmix.training import HyperValidation

SHAPE = (1, 16, 16)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Seed torch as a task does before it builds a method, whatever test ran before."""
    torch.manual_seed(0)


@dataclass(frozen=True)
class Toy:
    """Fresh networks, methods and streams of the toy problem; equal arguments give equal objects.

    Source `near` has the target's three classes in another domain, `far` two classes of its own.
    """

    toy_set: Any
    problem = Problem(
        {"near": LabelSpace(("a", "b", "c")), "far": LabelSpace(("d", "e"))},
        LabelSpace(("a", "b", "c")),
    )

    def network(
        self, seed: int = 0, norm: str = "batch", hidden: int = 16, dropout: float = 0.0
    ) -> Network:
        config = ConvTrunkConfig(widths=(4, 4, 8, 8), hidden=hidden, norm=norm)
        return self._network(seed, lambda: ConvTrunk(config, SHAPE), dropout)

    def map_network(self, seed: int = 0) -> Network:
        """A network that ends in a map [8, 2, 2]: the other's trunk up to its third block."""
        config = ConvTrunkConfig(widths=(4, 4, 8, 8), hidden=0)
        return self._network(seed, lambda: ConvTrunk(config, SHAPE).features[:-4])

    def network_of(self, name: str, seed: int = 0) -> Network:
        """A network that the named method can train."""
        needs_map = method_named(name).needs_map
        return self.map_network(seed) if needs_map else self.network(seed)

    def _network(self, seed: int, trunk: Callable[[], nn.Module], dropout: float = 0.0) -> Network:
        heads = {name: len(space.classes) for name, space in self.problem.heads.items()}
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return Network(trunk(), heads, SHAPE, dropout=dropout)

    def method(
        self,
        name: str,
        network: Network | None = None,
        sources: Sequence[str] | None = None,
        optimiser: OptimiserConfig | None = None,
        **settings: Any,
    ) -> Method:
        network = self.network_of(name) if network is None else network
        if sources is None:
            reads, head_of = method_named(name).reads_source, self.problem.head_of
            sources = [source for source in self.problem.sources if reads(head_of[source])]
        return build_method(name, network, sources, optimiser or OptimiserConfig(), settings)

    def streams(self, seed: int = 0) -> list[Stream]:
        near, far = self.toy_set(3, 12, seed=1, slope=1.0), self.toy_set(2, 12, seed=2, first_row=9)
        return [
            Stream("near", *near, TARGET_HEAD, 12, seed),
            Stream("far", *far, "far", 12, seed + 1),
        ]

    def target(self) -> Stream:
        return Stream("V", *self.toy_set(3, 2, seed=3), TARGET_HEAD, 64, 2)

    def unlabelled(self) -> UnlabelledStream:
        images, _ = self.toy_set(3, 8, seed=5)
        return UnlabelledStream("U", images, 12, 3)

    def batches(self, dtype: torch.dtype = torch.float32) -> tuple[list[Batch], Batch]:
        drawn = [stream.next() for stream in [*self.streams(), self.target()]]
        *sources, target = [Batch(b.images.to(dtype), b.labels, b.head) for b in drawn]
        return sources, target

    def hyper_validation(self) -> HyperValidation:
        return HyperValidation(*self.toy_set(3, 8, seed=4))


def _independent(sources, target, rng) -> None:
    """The problem as drawn."""


def _aligned(sources, target, rng) -> None:
    along = np.abs(sources @ target) / (target @ target)
    sources += np.outer(along * (1.0 + rng.random(len(sources))), target)


def _opposed(sources, target, rng) -> None:
    _aligned(sources, -target, rng)


def _spread(sources, target, rng) -> None:
    sources *= 10.0 ** rng.uniform(-4.0, 1.0, size=(len(sources), 1))


def _collinear(sources, target, rng) -> None:
    i, j = rng.integers(len(sources), size=2)
    sources[i] = sources[j] * 10.0 ** rng.uniform(-2.0, 1.0)


def _duplicates(sources, target, rng) -> None:
    i, j = rng.integers(len(sources), size=2)
    sources[i] = sources[j]


def _near_collinear(sources, target, rng) -> None:
    i, j = rng.integers(len(sources), size=2)
    sources[i] = sources[j] + 10.0 ** rng.uniform(-8.0, -2.0) * rng.normal(size=len(target))


def _near_opposite(sources, target, rng) -> None:
    i, j = rng.integers(len(sources), size=2)
    across = rng.normal(size=len(target))
    across -= sources[j] * (across @ sources[j]) / (sources[j] @ sources[j])
    across *= np.linalg.norm(sources[j]) / np.linalg.norm(across)
    # Within 1e-4 of a straight angle, Gram matrices no longer resolve the mixture.
    sources[i] = 10.0 ** rng.uniform(-3.5, -2.0) * across - sources[j]


def _straight(sources, target, rng) -> None:
    i, j = rng.integers(len(sources), size=2)
    if i != j:
        sources[i] = -sources[j] * 10.0 ** rng.uniform(-1.0, 1.0)


def _huge(sources, target, rng) -> None:
    sources *= 10.0 ** rng.uniform(-30.0, 30.0, size=(len(sources), 1))


def _zero_source(sources, target, rng) -> None:
    sources[rng.integers(len(sources))] = 0.0


_BEND = {
    "independent": _independent,
    "aligned": _aligned,
    "opposed": _opposed,
    "spread": _spread,
    "collinear": _collinear,
    "duplicates": _duplicates,
    "near_collinear": _near_collinear,
    "near_opposite": _near_opposite,
    "straight": _straight,
    "huge": _huge,
    "zero_source": _zero_source,
}


def _random_problem(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Source gradients [k, d] and a target gradient [d], k = 1..5, of the requested kind."""
    k, d = int(rng.integers(1, 6)), int(rng.integers(2, 13))
    sources, target = rng.normal(size=(k, d)), rng.normal(size=d)
    if kind == "inside_cone":
        return sources, rng.random(k) @ sources
    if kind == "integer":
        return np.rint(sources), np.rint(target)
    if kind == "all_zero":
        return 0.0 * sources, target
    if kind == "zero_target":
        return sources, 0.0 * target
    _BEND[kind](sources, target, rng)
    return sources, target


@pytest.fixture(scope="session")
def random_problem():
    """Maker of random layer problems: `random_problem(kind, rng)`."""
    return _random_problem


@pytest.fixture(scope="session")
def toy(toy_set) -> Toy:
    return Toy(toy_set)
