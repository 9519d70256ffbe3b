"""Audit of pseudo-labels against the true labels of U; it comes last and affects no results."""

from typing import Any

import torch
from torch import Tensor

from data.tables.pseudo_labels import PseudoLabels

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
BINS = 10
"""Number of equal-width bins of the soft labels' confidence."""


def audit(table: PseudoLabels, truth: Tensor, classes: int) -> dict[str, Any]:
    """Coverage, precision and calibration of an ensemble's labels, shares in [0, 1].

    Args:
        table: the pseudo-labels.
        truth: true class numbers of the samples [N].
        classes: number of classes.

    Returns:
        `coverage` and `precision` of the hard labels, also per class and at other thresholds;
        `soft_accuracy` and `calibration` of the soft ones. None where there is nothing to count.
    """
    hard, agreed = torch.from_numpy(table.hard_label), torch.from_numpy(table.agreed)
    soft = torch.from_numpy(table.soft_label)
    right = hard == truth
    given = [hard == label for label in range(classes)]
    return {
        "coverage": float(agreed.float().mean()),
        "precision": _share(right[agreed]),
        "precision_per_class": [_share(right[mask]) for mask in given],
        "count_per_class": [int(mask.sum()) for mask in given],
        "soft_accuracy": _share(soft.argmax(1) == truth),
        "calibration": _calibration(soft, truth),
        "thresholds": _thresholds(table, truth),
    }


def _calibration(soft: Tensor, truth: Tensor) -> list[dict[str, Any]]:
    """Mean confidence and accuracy of the soft labels per confidence bin, without empty bins."""
    confidence, label = soft.max(1)
    place = (confidence * BINS).long().clamp(0, BINS - 1)
    rows = []
    for i in range(BINS):
        inside = place == i
        if inside.any():
            rows.append(
                {
                    "low": i / BINS,
                    "high": (i + 1) / BINS,
                    "n": int(inside.sum()),
                    "confidence": float(confidence[inside].mean()),
                    "accuracy": _share((label == truth)[inside]),
                }
            )
    return rows


def _thresholds(table: PseudoLabels, truth: Tensor) -> list[dict[str, Any]]:
    """Number, coverage and precision of hard labels at other thresholds."""
    votes = torch.from_numpy(table.member_probabilities).argmax(2)
    same = (votes == votes[:, :1]).all(1)
    confidence = torch.from_numpy(table.min_confidence)
    rows = []
    for threshold in THRESHOLDS:
        agreed = same & (confidence > threshold)
        rows.append(
            {
                "threshold": threshold,
                "agreed": int(agreed.sum()),
                "coverage": float(agreed.float().mean()),
                "precision": _share((votes[:, 0] == truth)[agreed]),
            }
        )
    return rows


def _share(mask: Tensor) -> float | None:
    """Share of true entries; None for an empty mask."""
    return float(mask.float().mean()) if len(mask) else None
