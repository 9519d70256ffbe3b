"""Target only: plain training on V (§4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from gradmix.method import Method, TargetConfig
from gradmix.sampling import Batch


@dataclass(frozen=True, kw_only=True)
class TargetOnlyConfig(TargetConfig):
    """Settings of target-only training: those of `TargetConfig`."""


class TargetOnly(Method):
    """SGD on the labelled target samples alone."""

    name = "target_only"
    source_scope = "none"
    config: TargetOnlyConfig

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step on V; `sources` is ignored."""
        return self.descend({}, self.required(target, "V"))
