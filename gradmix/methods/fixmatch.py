"""Joint training with FixMatch on U: strong views learn confident predictions for weak views."""

from torch import Tensor

from gradmix.declarations.methods.fixmatch import DECLARATION, FixMatchConfig
from gradmix.sampling import Batch
from gradmix.unlabelled.confident_guesses import fix_match_loss
from gradmix.unlabelled.semi_supervised import JointSemiSupervised


class FixMatch(JointSemiSupervised):
    """Cross entropy on each source and V, and FixMatch's loss on U.

    Not in the paper: any gain of `gradmix_fixmatch` over this row is due to mixing. Unlike the
    authors', U's batch is not seven times the labelled one and the rate has no cosine decay.
    """

    declaration = DECLARATION
    config: FixMatchConfig

    def unlabelled_loss(self, images: Tensor, target: Batch) -> Tensor:
        """FixMatch's loss, from `fix_match_loss`."""
        return fix_match_loss(self, images, target.head, self.config)
