"""FixMatch's loss on U: strong views learn what confident weak views predict."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gradmix.unlabelled.augmentation import strong, weak
from gradmix.unlabelled.semi_supervised import OnUnlabelled


@dataclass(frozen=True, kw_only=True)
class ConfidentGuesses:
    """Settings of FixMatch; the threshold is the authors'.

    Attributes:
        threshold: probability from which on a prediction counts as a label.
        flip: whether views are mirrored with a probability of one half; for photographs.
    """

    threshold: float = 0.95
    flip: bool = False

    def check_threshold(self) -> None:
        """Refuse a threshold that is no probability.

        Raises:
            ValueError: naming it.
        """
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must be in [0, 1], found {self.threshold}.")


def fix_match_loss(
    method: OnUnlabelled, images: Tensor, head: str, settings: ConfidentGuesses
) -> Tensor:
    """Cross entropy of strong views against the labels that confident weak views give.

    Args:
        method: whose network predicts, in training mode, and whose generator draws the views.
        images: of U, [B, C, H, W].
        head: the target's.
        settings: the threshold, and whether views are mirrored.

    Returns:
        The loss of `confident_loss`, in nats. Running statistics are left alone, as strong views
        are not what is predicted.
    """
    flip = settings.flip
    with torch.no_grad():
        guessed = method.logits(weak(images, method.generator, flip=flip), head)
    logits = method.logits(strong(images, method.generator, flip=flip), head)
    return confident_loss(logits, guessed, settings.threshold)


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
