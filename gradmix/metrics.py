"""Accuracy and loss over a labelled set."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradmix.losses import hard_loss

BATCH = 256


@dataclass(frozen=True)
class Score:
    """Accuracy in [0, 1] and mean cross entropy in nats over `n` samples."""

    accuracy: float
    loss: float
    n: int


def score(
    predict: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, batch_size: int = BATCH
) -> Score:
    """Score logits predicted from uint8 images [N, H, W, C] against class numbers [N]."""
    correct, total = 0, 0.0
    for start in range(0, len(labels), batch_size):
        logits = predict(images[start : start + batch_size])
        wanted = labels[start : start + batch_size]
        correct += int((logits.argmax(1) == wanted).sum())
        total += float(hard_loss(logits, wanted)) * len(wanted)
    return Score(correct / len(labels), total / len(labels), len(labels))


def probabilities(
    predict: Callable[[Tensor], Tensor], images: Tensor, batch_size: int = BATCH
) -> Tensor:
    """Class probabilities [N, C] of uint8 images [N, H, W, C]."""
    parts = [
        predict(images[start : start + batch_size]).softmax(1)
        for start in range(0, len(images), batch_size)
    ]
    return torch.cat(parts)
