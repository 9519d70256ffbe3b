"""GradMix with SoftMatch on U: guesses weighted by their confidence. Not in the paper."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from gradmix.declarations.methods.gradmix_softmatch import DECLARATION, GradMixSoftMatchConfig
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.networks import Network
from gradmix.sampling import Batch
from gradmix.unlabelled.semi_supervised import SemiSupervised
from gradmix.unlabelled.soft_weights import SoftWeights, soft_match_loss


class GradMixSoftMatch(SemiSupervised):
    """GradMix with SoftMatch's loss on U; deviates from USB as its control `softmatch` does."""

    declaration = DECLARATION
    config: GradMixSoftMatchConfig

    def __init__(
        self,
        network: Network,
        sources: Sequence[str],
        optimiser: OptimiserConfig,
        config: GradMixSoftMatchConfig,
    ) -> None:
        super().__init__(network, sources, optimiser, config)
        self.weights = SoftWeights(config)

    def unlabelled_loss(self, images: Tensor, target: Batch) -> Tensor:
        """SoftMatch's loss, from `soft_match_loss`."""
        return soft_match_loss(self, images, target.head, self.weights)

    def state_dict(self) -> dict[str, Any]:
        """The base class's state and the running averages."""
        return {**super().state_dict(), "weights": self.weights.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state from `state_dict`, so that training resumes exactly."""
        super().load_state_dict(state)
        self.weights.load_state_dict(state["weights"])
