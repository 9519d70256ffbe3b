"""Target only: plain training on V (§4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from gradmix.method import Method, TargetConfig
from gradmix.sampling import Batch


@dataclass(frozen=True, kw_only=True)
class TargetOnlyConfig(TargetConfig):
    """That of every method that reads V, and no other."""


class TargetOnly(Method):
    """SGD on the labelled target samples alone."""

    name = "target_only"
    source_scope = "none"
    config: TargetOnlyConfig

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """One step on V; `sources` is not read."""
        return self.descend({}, self.required(target, "V"))
