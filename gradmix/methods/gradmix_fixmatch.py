"""GradMix with FixMatch on U: strong views learn the confident predictions for weak views.

Not in the paper. With 4 labels per class on SVHN, VAT and MixMatch fail in USB's results and
FixMatch works (microsoft/Semi-supervised-learning, results/classic_cv.csv).
"""

from dataclasses import dataclass

from torch import Tensor

from gradmix.sampling import Batch
from gradmix.unlabelled.confident_guesses import ConfidentGuesses, fix_match_loss
from gradmix.unlabelled.semi_supervised import SemiSupervised, SemiSupervisedConfig


@dataclass(frozen=True, kw_only=True)
class GradMixFixMatchConfig(SemiSupervisedConfig, ConfidentGuesses):
    """Settings of FixMatch, and the weight of its loss."""

    def __post_init__(self) -> None:
        """Run the checks of both base classes."""
        super().__post_init__()
        self.check_threshold()


class GradMixFixMatch(SemiSupervised):
    """GradMix with FixMatch's loss on U; its control is `fixmatch`."""

    name = "gradmix_fixmatch"
    version = 2
    config: GradMixFixMatchConfig

    def unlabelled_loss(self, images: Tensor, target: Batch) -> Tensor:
        """FixMatch's loss, from `fix_match_loss`."""
        return fix_match_loss(self, images, target.head, self.config)
