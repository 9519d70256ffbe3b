"""Target only: plain training on V (§4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from gradmix.method import Method, OptimiserConfig
from gradmix.sampling import Batch


@dataclass(frozen=True, kw_only=True)
class TargetOnlyConfig:
    """Nothing to set."""


class TargetOnly(Method):
    """SGD on the labelled target samples alone."""

    uses_sources = False

    def __init__(
        self,
        network: nn.Module,
        sources: Sequence[str],
        optimiser: OptimiserConfig,
        config: TargetOnlyConfig,
    ) -> None:
        super().__init__(network, sources, optimiser)
        self.config = config

    def update(self, sources: Sequence[Batch], target: Batch | None) -> dict[str, float]:
        """One step on V; `sources` is not read."""
        if target is None:
            raise ValueError("target_only trains on V, found no batch of it.")
        return self.descend({"V": target})
