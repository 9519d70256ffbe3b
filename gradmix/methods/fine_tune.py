"""Fine-tune: a source-only model trained further on V (§4.2)."""

from collections.abc import Sequence

from torch import Tensor

from gradmix.batch_norm import batch_norms
from gradmix.declarations.methods.fine_tune import DECLARATION, FineTuneConfig
from gradmix.method import Method
from gradmix.sampling import Batch


class FineTune(Method):
    """SGD on the labelled target samples, starting from a source-only model."""

    declaration = DECLARATION
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
