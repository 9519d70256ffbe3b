"""SoftMatch's loss on U: samples weighted by the confidence of their predictions."""

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from gradmix.declarations.unlabelled import SoftWeighting
from gradmix.unlabelled.augmentation import strong, weak
from gradmix.unlabelled.semi_supervised import OnUnlabelled, aligned

Average = TypeVar("Average", float, Tensor)


class SoftWeights:
    """Weights of predictions: a Gaussian truncated at the running mean of the confidences.

    Confidences are the largest probabilities after uniform alignment, which makes classes equally
    frequent. Averages start as in USB: mean 1 / C, variance 1, and the class distribution of the
    first mini-batch.

    Args:
        settings: momentum of the averages and width of the Gaussian.
    """

    def __init__(self, settings: SoftWeighting) -> None:
        self.settings = settings
        self.mean, self.variance = 0.0, 1.0
        self.frequencies: Tensor | None = None

    @torch.no_grad()
    def weigh(self, probabilities: Tensor) -> Tensor:
        """Weights [B] in (0, 1] of predictions [B, C], after adding them to the averages.

        w = exp(-n^2 min(c - mean, 0)^2 / (2 variance)), where c is the confidence.
        """
        evenly = 1.0 / probabilities.shape[1]
        if self.frequencies is None:
            self.mean, self.frequencies = evenly, probabilities.mean(0)
        else:
            self.frequencies = self._averaged(self.frequencies, probabilities.mean(0))
        wanted = torch.full_like(self.frequencies, evenly)
        confidence = aligned(probabilities, wanted, self.frequencies).amax(1)
        # A single sample has no variance.
        spread = confidence.var(correction=min(1, len(confidence) - 1))
        self.mean = self._averaged(self.mean, float(confidence.mean()))
        self.variance = self._averaged(self.variance, float(spread))
        below = self.settings.deviations * (confidence - self.mean).clamp_max(0.0)
        tiny = torch.finfo(below.dtype).tiny
        return (-below.square() / (2.0 * max(self.variance, tiny))).exp()

    def state_dict(self) -> dict[str, Any]:
        """The running averages."""
        found = self.frequencies
        return {
            "mean": self.mean,
            "variance": self.variance,
            "frequencies": None if found is None else found.clone(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict`."""
        self.mean, self.variance = state["mean"], state["variance"]
        found = state["frequencies"]
        self.frequencies = None if found is None else found.clone()

    def _averaged(self, before: Average, now: Average) -> Average:
        momentum = self.settings.ema_momentum
        return momentum * before + (1.0 - momentum) * now


def soft_match_loss(
    method: OnUnlabelled, images: Tensor, head: str, weights: SoftWeights
) -> Tensor:
    """Weighted cross entropy of strong views against the classes predicted for weak views.

    Args:
        method: provides the network, in training mode, and the generator of the views.
        images: images [B, C, H, W] of U.
        head: the target's head.
        weights: weights the predictions for weak views and adds them to its averages.

    Returns:
        The mean over all samples of w H(class, prediction), in nats. Labels are the predicted
        classes before alignment, which affects only the weights. Running statistics are not
        updated, since strong views never occur at prediction.
    """
    flip = weights.settings.flip
    with torch.no_grad():
        guessed = method.logits(weak(images, method.generator, flip=flip), head)
    logits = method.logits(strong(images, method.generator, flip=flip), head)
    losses = functional.cross_entropy(logits, guessed.argmax(1), reduction="none")
    return (weights.weigh(guessed.softmax(1)) * losses).mean()
