"""FixMatch's loss on U: strong views learn the confident predictions for weak views."""

import torch
from torch import Tensor
from torch.nn import functional

from gradmix.declarations.unlabelled import ConfidentGuesses
from gradmix.unlabelled.augmentation import strong, weak
from gradmix.unlabelled.semi_supervised import OnUnlabelled


def fix_match_loss(
    method: OnUnlabelled, images: Tensor, head: str, settings: ConfidentGuesses
) -> Tensor:
    """Cross entropy of strong views against the labels from confident weak views.

    Args:
        method: provides the network, in training mode, and the generator of the views.
        images: images [B, C, H, W] of U.
        head: the target's head.
        settings: the threshold, and whether views are mirrored.

    Returns:
        The loss of `confident_loss`, in nats. Running statistics are not updated, since strong
        views never occur at prediction.
    """
    flip = settings.flip
    with torch.no_grad():
        guessed = method.logits(weak(images, method.generator, flip=flip), head)
    logits = method.logits(strong(images, method.generator, flip=flip), head)
    return confident_loss(logits, guessed, settings.threshold)


def confident_loss(logits: Tensor, guessed: Tensor, threshold: float) -> Tensor:
    """Cross entropy against the guessed class, where the guess is confident enough.

    Args:
        logits: [B, C].
        guessed: logits [B, C] of the guess; no gradient flows through them.
        threshold: minimum probability of a confident guess.

    Returns:
        The mean over all samples, with zero for unconfident ones: the loss grows with the number
        of confident samples, and is zero if there are none.
    """
    probability, labels = guessed.softmax(1).max(1)
    losses = functional.cross_entropy(logits, labels, reduction="none")
    return losses.where(probability >= threshold, 0.0).mean()
