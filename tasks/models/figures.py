"""Accuracies in words."""

import math


def standard_error(accuracy: float, n: int | None) -> float | None:
    """Binomial standard error sqrt(p (1 - p) / n) of an accuracy over n samples, in [0, 1].

    None if n is unknown. For frames, n is the number of clips: frames of one clip are alike.
    """
    return None if not n else math.sqrt(accuracy * (1.0 - accuracy) / n)


def percent(share: float) -> str:
    """A share with one decimal."""
    return f"{100 * share:.1f} %"
