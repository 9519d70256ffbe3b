"""Uncertainty of a share of correct answers."""

from scipy.special import betaincinv

LEVEL = 0.95


def exact_interval(right: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """The Clopper-Pearson interval of a share of correct answers, in [0, 1].

    It contains the true share with at least probability `level`, whatever the share, if answers
    are independent: its ends are the shares at which `right` or more, or `right` or fewer, of n
    have probability (1 - level) / 2.

    Args:
        right: number of correct answers.
        n: number of answers.
        level: confidence level.

    Raises:
        ValueError: if there are no answers, or more correct ones than answers.
    """
    if not 0 <= right <= n or n < 1:
        raise ValueError(f"right must be between 0 and n, and n at least 1. Found {right} of {n}.")
    tail = (1 - level) / 2
    low = 0.0 if right == 0 else float(betaincinv(right, n - right + 1, tail))
    high = 1.0 if right == n else float(betaincinv(right + 1, n - right, 1 - tail))
    return low, high
