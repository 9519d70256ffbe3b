"""Fine-tune: a source-only model trained further on V (§4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from gradmix.method import Method, TargetConfig
from gradmix.sampling import Batch


@dataclass(frozen=True, kw_only=True)
class FineTuneConfig(TargetConfig):
    """That of every method that reads V, and no other."""


class FineTune(Method):
    """SGD on the labelled target samples, from the weights of a source-only model."""

    name = "fine_tune"
    source_scope = "none"
    starts_from = "source_only"
    config: FineTuneConfig

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """One step on V; `sources` is not read."""
        return self.descend({}, self.required(target, "V"))
