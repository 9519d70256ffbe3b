"""FixMatch on U beside joint training: strong views learn what confident weak views predict."""

from dataclasses import dataclass

from torch import Tensor

from gradmix.sampling import Batch
from gradmix.unlabelled.confident_guesses import ConfidentGuesses, fix_match_loss
from gradmix.unlabelled.semi_supervised import JointSemiSupervised, JointSemiSupervisedConfig


@dataclass(frozen=True, kw_only=True)
class FixMatchConfig(JointSemiSupervisedConfig, ConfidentGuesses):
    """Settings of FixMatch and the weight of its loss."""

    def __post_init__(self) -> None:
        """Refuse what the two parts refuse."""
        super().__post_init__()
        self.check_threshold()


class FixMatch(JointSemiSupervised):
    """Cross entropy on every source and on V, and FixMatch's loss on U.

    Not in the paper: what `gradmix_fixmatch` adds to this row, mixing adds. The authors' batch of U
    is seven times the labelled one and their rate falls as a cosine; here neither is so.
    """

    name = "fixmatch"
    config: FixMatchConfig

    def unlabelled_loss(self, images: Tensor, target: Batch) -> Tensor:
        """FixMatch's loss; see `fix_match_loss`."""
        return fix_match_loss(self, images, target.head, self.config)
