"""Fine-tune: a source-only model trained further on V (§4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from gradmix.batch_norm import batch_norms
from gradmix.method import Method, TargetConfig
from gradmix.sampling import Batch
from gradmix.settings import later


@dataclass(frozen=True, kw_only=True)
class FineTuneConfig(TargetConfig):
    """Settings of fine-tuning.

    Attributes:
        frozen_norms: whether batch norm normalises V by the initial model's running statistics,
            which then stay fixed, rather than by V's mini-batch.
    """

    frozen_norms: bool = later(False)


class FineTune(Method):
    """SGD on the labelled target samples, starting from a source-only model."""

    name = "fine_tune"
    source_scope = "none"
    starts_from = "source_only"
    config: FineTuneConfig

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step on V; `sources` is ignored."""
        return self.descend({}, self.required(target, "V"))

    def train_mode(self) -> None:
        """Put the network in training mode, except for frozen norms."""
        super().train_mode()
        if self.config.frozen_norms:
            for norm in batch_norms(self.network):
                norm.eval()
