"""Target only: plain training on V (§4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from gradmix.method import Method, OptimiserConfig
from gradmix.sampling import Batch


@dataclass(frozen=True, kw_only=True)
class TargetOnlyConfig:
    """Nothing to set."""


class TargetOnly(Method):
    """SGD on the labelled target samples alone."""

    name = "target_only"
    source_scope = "none"

    def __init__(
        self,
        network: nn.Module,
        sources: Sequence[str],
        optimiser: OptimiserConfig,
        config: TargetOnlyConfig,
    ) -> None:
        super().__init__(network, sources, optimiser)
        self.config = config

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """One step on V; `sources` is not read."""
        return self.descend({"V": self.required(target, "V")})
