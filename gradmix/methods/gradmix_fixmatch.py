"""GradMix with FixMatch on U: strong views learn the confident predictions for weak views.

Not in the paper. With 4 labels per class on SVHN, VAT and MixMatch fail in USB's results and
FixMatch works (microsoft/Semi-supervised-learning, results/classic_cv.csv).
"""

from torch import Tensor

from gradmix.declarations.methods.gradmix_fixmatch import DECLARATION, GradMixFixMatchConfig
from gradmix.sampling import Batch
from gradmix.unlabelled.confident_guesses import fix_match_loss
from gradmix.unlabelled.semi_supervised import SemiSupervised


class GradMixFixMatch(SemiSupervised):
    """GradMix with FixMatch's loss on U; its control is `fixmatch`."""

    declaration = DECLARATION
    config: GradMixFixMatchConfig

    def unlabelled_loss(self, images: Tensor, target: Batch) -> Tensor:
        """FixMatch's loss, from `fix_match_loss`."""
        return fix_match_loss(self, images, target.head, self.config)
