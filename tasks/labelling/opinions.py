"""An ensemble's predictions for samples, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
NONE = -1
"""Runner-up if there is only one class."""


@dataclass(frozen=True, kw_only=True)
class Opinions:
    """Predictions for N samples.

    Attributes:
        label: int64 [N], the class with the largest mean probability over the members.
        confidence: float32 [N], that mean.
        runner_up: int64 [N], class with the second largest mean; -1 if there is only one class.
        runner_up_confidence: float32 [N], its mean probability.
        agreement: float32 [N], share of the members whose first choice is the label.
        disagreement: float32 [N], see `disagreement`.
    """

    label: Numbers
    confidence: Floats
    runner_up: Numbers
    runner_up_confidence: Floats
    agreement: Floats
    disagreement: Floats


@dataclass(frozen=True, kw_only=True)
class Units:
    """Samples grouped into units: single photos, or all frames of a clip.

    Attributes:
        probabilities: float32 [M, R, C], mean over the frames.
        first: int64 [M], row of each unit's first sample, in ascending order.
        middle: int64 [M], row of each unit's middle sample.
    """

    probabilities: Floats
    first: Numbers
    middle: Numbers


def units(probabilities: Floats, clips: Sequence[str] | None) -> Units:
    """Group the frames of each clip; without clips, every sample is its own unit.

    Frames of a clip are alike, so a bound that counts each of them claims too much.

    Args:
        probabilities: [N, R, C].
        clips: N clip names; None if the samples are not frames.
    """
    if clips is None:
        rows = np.arange(len(probabilities))
        return Units(probabilities=probabilities, first=rows, middle=rows)
    found: dict[str, list[int]] = {}
    for row, clip in enumerate(clips):
        found.setdefault(clip, []).append(row)
    means = [probabilities[rows].mean(axis=0) for rows in found.values()]
    return Units(
        probabilities=np.stack(means).astype(np.float32),
        first=np.array([rows[0] for rows in found.values()]),
        middle=np.array([rows[len(rows) // 2] for rows in found.values()]),
    )


def opinions(probabilities: Floats) -> Opinions:
    """Combine the members' predictions.

    Args:
        probabilities: [N, R, C]; NaN where a member does not score a sample, and is ignored.
    """
    mean = np.nanmean(probabilities, axis=1).astype(np.float32)
    rows, order = np.arange(len(mean)), np.argsort(-mean, axis=1, kind="stable")
    label, second = order[:, 0], order[:, min(1, mean.shape[1] - 1)]
    alone = mean.shape[1] == 1
    scored = ~np.isnan(probabilities[:, :, 0])
    votes = np.where(scored, np.nan_to_num(probabilities).argmax(2), NONE)
    agreement = (votes == label[:, None]).sum(1) / scored.sum(1)
    return Opinions(
        label=label,
        confidence=mean[rows, label],
        runner_up=np.full_like(second, NONE) if alone else second,
        runner_up_confidence=np.zeros(len(mean), np.float32) if alone else mean[rows, second],
        agreement=agreement.astype(np.float32),
        disagreement=disagreement(probabilities),
    )


def disagreement(probabilities: Floats) -> Floats:
    """Disagreement of the members: their Jensen-Shannon divergence, in nats.

    H(mean of p_r) - mean of H(p_r) with the entropy H: 0 if all members predict the same, however
    unsure they are; at most log R. Unlike low confidence, it does not flag images that are
    ambiguous in themselves, for which a label would not help. (Houlsby et al. 2011: BALD.)
    """
    whole = _entropy(np.nanmean(probabilities, axis=1))
    found: Floats = (whole - np.nanmean(_entropy(probabilities), axis=1)).clip(0).astype(np.float32)
    return found


def agreed(probabilities: Floats, threshold: float) -> npt.NDArray[np.bool_]:
    """Where all members that score a sample agree on its class, each above the threshold."""
    unscored = np.isnan(probabilities[:, :, 0])
    label = np.nanmean(probabilities, axis=1).argmax(1)
    filled = np.nan_to_num(probabilities)
    same = (filled.argmax(2) == label[:, None]) & (filled.max(2) > threshold)
    found: npt.NDArray[np.bool_] = (same | unscored).all(1)
    return found


def _entropy(p: Floats) -> Floats:
    found: Floats = -(p * np.log(np.maximum(p, 1e-12))).sum(axis=-1)
    return found
