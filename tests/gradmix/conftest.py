"""A toy problem for the core: two sources, a target, a network of a few hundred weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from gradmix.method import Method, OptimiserConfig
from gradmix.methods import build_method
from gradmix.networks import DigitNetwork, DigitNetworkConfig
from gradmix.problem import TARGET_HEAD, LabelSpace, Problem
from gradmix.sampling import Batch, Stream
from gradmix.training import HyperValidation


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

    def network(self, seed: int = 0, norm: str = "batch") -> DigitNetwork:
        config = DigitNetworkConfig(widths=(4, 4, 8, 8), hidden=16, norm=norm)
        heads = {name: len(space.classes) for name, space in self.problem.heads.items()}
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return DigitNetwork(config, heads, image_size=16)

    def method(
        self,
        name: str,
        network: DigitNetwork | None = None,
        sources: Sequence[str] = ("near", "far"),
        optimiser: OptimiserConfig | None = None,
        **settings: Any,
    ) -> Method:
        network = self.network() if network is None else network
        return build_method(name, network, sources, optimiser or OptimiserConfig(), settings)

    def streams(self, seed: int = 0) -> list[Stream]:
        near, far = self.toy_set(3, 12, seed=1, slope=1.0), self.toy_set(2, 12, seed=2, first_row=9)
        return [
            Stream("near", *near, TARGET_HEAD, 12, seed),
            Stream("far", *far, "far", 12, seed + 1),
        ]

    def target(self) -> Stream:
        return Stream("V", *self.toy_set(3, 2, seed=3), TARGET_HEAD, 64, 2)

    def batches(self, dtype: torch.dtype = torch.float32) -> tuple[list[Batch], Batch]:
        drawn = [stream.next() for stream in [*self.streams(), self.target()]]
        *sources, target = [Batch(b.images.to(dtype), b.labels, b.head) for b in drawn]
        return sources, target

    def hyper_validation(self) -> HyperValidation:
        return HyperValidation(*self.toy_set(3, 8, seed=4))


@pytest.fixture(scope="session")
def toy(toy_set) -> Toy:
    return Toy(toy_set)
