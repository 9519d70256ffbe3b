"""Losses of labelled and pseudo-labelled samples (§3.5)."""

import torch
from torch import Tensor
from torch.nn import functional

from gradmix.declarations.choices import Direction

SMALLEST_PROBABILITY = 1e-6


def hard_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy in nats of logits [B, C] and class numbers [B]."""
    return functional.cross_entropy(logits, labels)


def soft_loss(logits: Tensor, soft: Tensor, direction: Direction = "reverse") -> Tensor:
    """Mean Kullback-Leibler divergence in nats between predictions and soft labels (§3.5).

    Args:
        logits: [B, C].
        soft: label distributions [B, C]; clamped to at least 1e-6, as log 0 has no gradient.
        direction: `reverse` is the paper's D_KL(p_theta, soft); `forward` is D_KL(soft, p_theta),
            which has the gradient of the cross entropy.

    Raises:
        ValueError: if the direction is unknown.
    """
    log_p = functional.log_softmax(logits, dim=1)
    log_soft = soft.clamp_min(SMALLEST_PROBABILITY).log()
    if direction == "reverse":
        return (log_p.exp() * (log_p - log_soft)).sum(1).mean()
    if direction == "forward":
        return (soft * (log_soft - log_p)).sum(1).mean()
    raise ValueError(f"direction must be one of reverse, forward. Found {direction!r}.")


def mean_entropy(logits: Tensor) -> Tensor:
    """Mean entropy in nats of the predictions of logits [B, C].

    The cross entropy of the predictions with themselves; gradients flow through both factors.
    """
    return functional.cross_entropy(logits, logits.softmax(1))


def loss(logits: Tensor, labels: Tensor, direction: Direction = "reverse") -> Tensor:
    """`soft_loss` for label distributions (floating point), `hard_loss` for class numbers."""
    if torch.is_floating_point(labels):
        return soft_loss(logits, labels, direction)
    return hard_loss(logits, labels)
