"""SoftMatch on U beside joint training: every guess counts, by how confident it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gradmix.networks import Network
from gradmix.optimiser import OptimiserConfig
from gradmix.sampling import Batch
from gradmix.unlabelled.semi_supervised import JointSemiSupervised, JointSemiSupervisedConfig
from gradmix.unlabelled.soft_weights import SoftWeighting, SoftWeights, soft_match_loss


@dataclass(frozen=True, kw_only=True)
class SoftMatchConfig(JointSemiSupervisedConfig, SoftWeighting):
    """Settings of SoftMatch and the weight of its loss."""

    def __post_init__(self) -> None:
        """Refuse what the two parts refuse."""
        super().__post_init__()
        self.check_weighting()


class SoftMatch(JointSemiSupervised):
    """Cross entropy on every source and on V, and SoftMatch's loss on U.

    Not in the paper: what `gradmix_softmatch` adds to this row, mixing adds. Unlike USB's code,
    every data set has a pass of its own and strong views leave running statistics alone; U's
    mini-batch is as large as a source's; the moving average of the weights is the training's.
    """

    name = "softmatch"
    config: SoftMatchConfig

    def __init__(
        self,
        network: Network,
        sources: Sequence[str],
        optimiser: OptimiserConfig,
        config: SoftMatchConfig,
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
