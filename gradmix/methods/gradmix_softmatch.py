"""GradMix with SoftMatch on U: every guess counts, by how confident it is. Not in the paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gradmix.networks import Network
from gradmix.optimiser import OptimiserConfig
from gradmix.sampling import Batch
from gradmix.unlabelled.semi_supervised import SemiSupervised, SemiSupervisedConfig
from gradmix.unlabelled.soft_weights import SoftWeighting, SoftWeights, soft_match_loss


@dataclass(frozen=True, kw_only=True)
class GradMixSoftMatchConfig(SemiSupervisedConfig, SoftWeighting):
    """Settings of SoftMatch and the weight of its loss."""

    def __post_init__(self) -> None:
        """Refuse what the two parts refuse."""
        super().__post_init__()
        self.check_weighting()


class GradMixSoftMatch(SemiSupervised):
    """The loss on U is SoftMatch's; deviations from USB's code as in `softmatch`, its control."""

    name = "gradmix_softmatch"
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
        """SoftMatch's loss; see `soft_match_loss`."""
        return soft_match_loss(self, images, target.head, self.weights)

    def state_dict(self) -> dict[str, Any]:
        """The base's state, and the running averages."""
        return {**super().state_dict(), "weights": self.weights.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken."""
        super().load_state_dict(state)
        self.weights.load_state_dict(state["weights"])
