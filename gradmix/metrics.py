"""Accuracy and loss over a labelled set, per image and per clip."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradmix.losses import hard_loss
from gradmix.sampling import Images

BATCH = 256


@dataclass(frozen=True)
class Score:
    """Accuracy in [0, 1] and mean cross entropy in nats over `n` samples."""

    accuracy: float
    loss: float
    n: int


def score(
    predict: Callable[[Tensor], Tensor], images: Images, labels: Tensor, batch_size: int = BATCH
) -> Score:
    """Score logits predicted from stored images [N, H, W, C] against class numbers [N]."""
    # Accumulated on the labels' device, so that it is synchronised only once.
    sums = torch.zeros(2, dtype=torch.float64, device=labels.device)
    for start in range(0, len(labels), batch_size):
        logits = predict(images[start : start + batch_size])
        wanted = labels[start : start + batch_size]
        sums[0] += (logits.argmax(1) == wanted).sum()
        sums[1] += hard_loss(logits, wanted).double() * len(wanted)
    correct, total = sums.tolist()
    return Score(correct / len(labels), total / len(labels), len(labels))


def probabilities(
    predict: Callable[[Tensor], Tensor], images: Images, batch_size: int = BATCH
) -> Tensor:
    """Class probabilities [N, C] predicted for stored images [N, H, W, C]."""
    parts = [
        predict(images[start : start + batch_size]).softmax(1)
        for start in range(0, len(images), batch_size)
    ]
    return torch.cat(parts)


def right_clips(probabilities: Tensor, labels: Tensor, clip: Tensor) -> Tensor:
    """Whether the mean prediction over the frames of each clip is right (§4.3, per video).

    Args:
        probabilities: class probabilities [N, C] of the frames.
        labels: class numbers [N], the same for all frames of a clip.
        clip: clip numbers [N].

    Returns:
        bool [clips], in ascending order of clip numbers, on the CPU.
    """
    of_frame, wanted = _clips(clip), labels.to(probabilities.device)
    n = int(of_frame.max()) + 1
    sums = probabilities.new_zeros(n, probabilities.shape[1])
    sums.index_add_(0, of_frame.to(sums.device), probabilities)
    of_clip = wanted.new_empty(n)
    of_clip[of_frame.to(wanted.device)] = wanted
    # The class with the largest sum also has the largest mean.
    return (sums.argmax(1) == of_clip).cpu()


def disagreement(predicted: Tensor, clip: Tensor) -> float:
    """Fraction in [0, 1] of the clips whose frames get different predictions.

    Args:
        predicted: class numbers [N].
        clip: clip numbers [N].

    Returns:
        The fraction among clips with at least two frames; 0 if there are none.
    """
    of_frame, classes = _clips(clip), predicted.cpu()
    n = int(of_frame.max()) + 1
    lowest = torch.full((n,), torch.iinfo(torch.int64).max)
    lowest.scatter_reduce_(0, of_frame, classes, "amin")
    highest = torch.full((n,), -1).scatter_reduce_(0, of_frame, classes, "amax")
    several = of_frame.bincount() > 1
    return float((lowest != highest)[several].double().mean()) if several.any() else 0.0


def _clips(clip: Tensor) -> Tensor:
    """Renumber clips [N] consecutively from 0."""
    numbers: Tensor = torch.unique(clip.cpu(), return_inverse=True)[1]
    return numbers
