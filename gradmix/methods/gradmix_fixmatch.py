"""GradMix with FixMatch on U: strong views learn what confident weak views predict.

Not in the paper. At 4 labels per class on SVHN, USB's results have VAT and MixMatch fail and
FixMatch hold (microsoft/Semi-supervised-learning, results/classic_cv.csv).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gradmix.sampling import Batch
from gradmix.unlabelled.augmentation import strong, weak
from gradmix.unlabelled.semi_supervised import SemiSupervised, SemiSupervisedConfig


@dataclass(frozen=True, kw_only=True)
class GradMixFixMatchConfig(SemiSupervisedConfig):
    """Settings of FixMatch; the threshold is the authors'.

    Attributes:
        threshold: probability from which on a prediction counts as a label.
        flip: whether views are mirrored with a probability of one half; for photographs.

    Raises:
        ValueError: if the threshold is no probability.
    """

    threshold: float = 0.95
    flip: bool = False

    def __post_init__(self) -> None:
        """Refuse a threshold that is no probability."""
        super().__post_init__()
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must be in [0, 1], found {self.threshold}.")


class GradMixFixMatch(SemiSupervised):
    """The loss on U is FixMatch's.

    Running statistics of batch norm are left alone: strong views are not what is predicted.
    """

    name = "gradmix_fixmatch"
    version = 2
    config: GradMixFixMatchConfig

    def unlabelled_loss(self, images: Tensor, target: Batch) -> Tensor:
        """Cross entropy of strong views against the labels that confident weak views give."""
        flip = self.config.flip
        with torch.no_grad():
            guessed = self.logits(weak(images, self.generator, flip=flip), target.head)
        logits = self.logits(strong(images, self.generator, flip=flip), target.head)
        return confident_loss(logits, guessed, self.config.threshold)


def confident_loss(logits: Tensor, guessed: Tensor, threshold: float) -> Tensor:
    """Cross entropy against the class guessed, where the guess is confident enough.

    Args:
        logits: [B, C].
        guessed: logits [B, C] of the guess; no gradient goes through them.
        threshold: probability from which on a guess is confident.

    Returns:
        The mean over all samples, those not confident counting as zero: the loss grows with the
        number of confident samples, and is zero if there is none.
    """
    probability, labels = guessed.softmax(1).max(1)
    losses = functional.cross_entropy(logits, labels, reduction="none")
    return losses.where(probability >= threshold, 0.0).mean()
