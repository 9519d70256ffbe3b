"""Guarantees on the precision of labels, from held-out labels: bounds and thresholds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating]
    Bools = npt.NDArray[np.bool_]

STEPS = 24
"""Maximum number of thresholds tested."""
LADDER = (0.125, 0.25, 0.5, 0.75, 1.0)
"""Fractions of the unlabelled samples, most confident first, for which bounds are computed."""
_HALVINGS = 60
_MOST_LABELS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Held-out labels at or above a threshold.

    Attributes:
        threshold: confidence at or above which labels count.
        n: number of held-out samples at or above it.
        right: number of these with the right label.
        confidence: confidence level of the bound.
    """

    threshold: float
    n: int
    right: int
    confidence: float

    @property
    def bound(self) -> float:
        """Exact lower bound of the precision at or above the threshold.

        Valid only if the threshold was fixed before looking at the labels and no other bound is
        quoted.
        """
        return precision_bound(self.right, self.n, self.confidence)


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Whether a precision is shown, and from which threshold.

    Attributes:
        precision: requested precision.
        confidence: confidence level of the answer.
        held_out: total number of held-out samples.
        threshold: lowest threshold shown to have the precision; None if there is none.
        tested: evidence at each threshold in test order; the last failed, unless all passed.
    """

    precision: float
    confidence: float
    held_out: int
    threshold: float | None
    tested: tuple[Evidence, ...]

    @property
    def shown(self) -> Evidence | None:
        """Evidence at the threshold. Do not quote its bound, as the threshold was selected."""
        passed = (one for one in self.tested if one.threshold == self.threshold)
        return next(passed, None)


def upper_tail(right: int, n: int, precision: float) -> float:
    """Probability of at least `right` successes in `n` trials with success rate `precision`.

    Computed from log terms, so it is accurate for thousands of trials.
    """
    if right <= 0:
        return 1.0
    if right > n or precision <= 0.0:
        return 0.0
    if precision >= 1.0:
        return 1.0
    return _tail(right, n, precision, _log_choose(n, right))


def _tail(right: int, n: int, precision: float, log_choose: Floats) -> float:
    i = np.arange(right, n + 1)
    log_term = log_choose + i * math.log(precision) + (n - i) * math.log1p(-precision)
    return min(1.0, float(np.exp(log_term).sum()))


def precision_bound(right: int, n: int, confidence: float) -> float:
    """Exact one-sided lower bound of a success rate (Clopper and Pearson 1934).

    The largest rate p at which `right` or more successes in `n` trials have a probability of at
    most 1 - confidence, so the bound exceeds the true rate in at most that fraction of cases. 0 if
    there is no success.

    Raises:
        ValueError: if the counts or the confidence are invalid.
    """
    _check_share(confidence, "confidence")
    if not 0 <= right <= n:
        raise ValueError(f"expected 0 <= right <= n, found {right} of {n}.")
    if right == 0:
        return 0.0
    low, high, log_choose = 0.0, 1.0, _log_choose(n, right)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle < 1.0 and _tail(right, n, middle, log_choose) <= 1 - confidence:
            low = middle
        else:
            high = middle
    return low


def thresholds_by_rank(
    unlabelled: Floats, held_out: int, precision: float, confidence: float
) -> list[float]:
    """Thresholds to test, strictest first: confidences of unlabelled samples at given ranks.

    The list uses no held-out labels or confidences, so it is fixed beforehand. It starts where
    about twice as many held-out samples are expected above the threshold as are needed if all are
    right (fewer if there are few), and ends at the lowest confidence.

    Args:
        unlabelled: confidences of the samples to label.
        held_out: number of held-out samples.
        precision: precision to show.
        confidence: confidence level to show it at.
    """
    if not len(unlabelled) or not held_out:
        return []
    needed = fewest_labels(precision, confidence)
    start = min(held_out, 2 * needed, max(math.ceil(1.2 * needed), held_out // 2))
    shares = np.geomspace(start / held_out, 1.0, STEPS)
    falling = np.sort(unlabelled)[::-1]
    ranks = np.ceil(shares * len(falling)).astype(int).clip(1, len(falling)) - 1
    return [float(value) for value in dict.fromkeys(falling[ranks].tolist())]


def threshold_for(
    precision: float, confidence: float, confidences: Floats, right: Bools, thresholds: list[float]
) -> Certificate:
    """Find the lowest threshold at which held-out labels show a precision.

    Fixed-sequence testing, as in "Learn then Test" (Angelopoulos, Bates, Candes, Jordan and Lei
    2021, section 2.2): for each threshold, in an order fixed without the labels, the hypothesis
    "the precision above it is below the requested one" is tested by the exact binomial tail at
    level 1 - confidence; testing stops at the first hypothesis that is not rejected.

    No correction for the number of tests is needed: if no hypothesis is true, no claim can be
    wrong. Otherwise let j be the first true one in the order, which does not depend on the labels.
    A wrong claim requires that testing reaches j and rejects it, and a true hypothesis is rejected
    with a probability of at most 1 - confidence. Scanning all thresholds and quoting the bound of
    the best one has no such guarantee.

    This holds for samples drawn like the held-out ones, independently of each other and of the
    models; frames of one clip are not independent, so merge them into one sample first. What is
    guaranteed at the threshold is the requested precision, not the bound computed there.

    Args:
        precision: requested precision, between 0 and 1.
        confidence: confidence level of the answer, between 0 and 1.
        confidences: confidences of the held-out samples.
        right: whether their predicted labels are right.
        thresholds: thresholds in test order, fixed without the labels (`thresholds_by_rank`).

    Raises:
        ValueError: if a share is not between 0 and 1, or the arrays differ in length.
    """
    _check_share(precision, "precision")
    _check_share(confidence, "confidence")
    if len(confidences) != len(right):
        raise ValueError(f"expected equal lengths, found {len(confidences)} and {len(right)}.")
    found, tested = None, []
    for threshold in thresholds:
        tested.append(evidence(threshold, confidence, confidences, right))
        if upper_tail(tested[-1].right, tested[-1].n, precision) > 1 - confidence:
            break
        found = threshold
    return Certificate(
        precision=precision,
        confidence=confidence,
        held_out=len(right),
        threshold=found,
        tested=tuple(tested),
    )


def ladder(
    confidence: float, confidences: Floats, right: Bools, unlabelled: Floats
) -> list[Evidence]:
    """Bounds for the most confident samples, whatever precision is requested.

    All bounds hold simultaneously at this confidence, so any of them may be quoted: each of the n
    is computed at level (1 - confidence) / n (Bonferroni).

    Args:
        confidence: joint confidence level of all bounds.
        confidences: confidences of the held-out samples.
        right: whether their predicted labels are right.
        unlabelled: confidences of the samples to label, whose ranks fix the steps.
    """
    if not len(unlabelled) or not len(right):
        return []
    falling = np.sort(unlabelled)[::-1]
    steps = [float(falling[math.ceil(share * len(falling)) - 1]) for share in LADDER]
    each = 1 - (1 - confidence) / len(LADDER)
    return [evidence(step, each, confidences, right) for step in steps]


def evidence(threshold: float, confidence: float, confidences: Floats, right: Bools) -> Evidence:
    """Count the held-out labels at or above a threshold."""
    above = confidences >= threshold
    n, hits = int(above.sum()), int(right[above].sum())
    return Evidence(threshold=threshold, n=n, right=hits, confidence=confidence)


def fewest_labels(precision: float, confidence: float) -> int:
    """Number of held-out labels that show a precision if all of them are right."""
    _check_share(precision, "precision")
    _check_share(confidence, "confidence")
    return math.ceil(math.log(1 - confidence) / math.log(precision) - 1e-12)


def labels_needed(precision: float, confidence: float, right: int, n: int) -> int | None:
    """Estimate how many held-out labels would show a precision at the observed success rate.

    Returns:
        The number above the threshold; None if the observed rate is not above the precision, or a
        million labels would not be enough.
    """
    if right == n:
        return fewest_labels(precision, confidence)
    if right / n <= precision:
        return None
    size = max(n, fewest_labels(precision, confidence))
    while size <= _MOST_LABELS:
        if upper_tail(math.floor(size * right / n), size, precision) <= 1 - confidence:
            return size
        size = math.ceil(size * 1.02)
    return None


def _log_choose(n: int, least: int) -> Floats:
    """Log binomial coefficients of n over i, for i from `least` to n."""
    logs = np.array([math.lgamma(i + 1) for i in range(n + 1)])
    upper = np.arange(least, n + 1)
    found: Floats = logs[n] - logs[upper] - logs[n - upper]
    return found


def _check_share(value: float, name: str) -> None:
    if not 0 < value < 1:
        raise ValueError(f"expected {name} between 0 and 1, found {value}.")
