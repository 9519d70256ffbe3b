"""How often labels are right at least: what held-out labels prove, and the threshold they allow."""

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
"""Thresholds that are tested at most."""
LADDER = (0.125, 0.25, 0.5, 0.75, 1.0)
"""Shares of the unlabelled samples, the most confident ones, for which bounds are computed."""
_HALVINGS = 60
_MOST_LABELS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What held-out labels say of one threshold.

    Attributes:
        threshold: of the confidence; labels at or above it count.
        n: held-out samples at or above it.
        right: how many of them have the right label.
        confidence: of the bound.
    """

    threshold: float
    n: int
    right: int
    confidence: float

    @property
    def bound(self) -> float:
        """Exact lower bound of the precision there.

        Valid if the threshold was fixed before the labels were looked at, and if it is the only
        one whose bound is quoted.
        """
        return precision_bound(self.right, self.n, self.confidence)


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Whether a precision is shown, from which threshold on.

    Attributes:
        precision: that was asked for.
        confidence: that the answer holds with.
        held_out: held-out samples in all.
        threshold: the lowest one that was shown; None: none was.
        tested: thresholds in the order of the tests; the last failed, unless all passed.
    """

    precision: float
    confidence: float
    held_out: int
    threshold: float | None
    tested: tuple[Evidence, ...]

    @property
    def shown(self) -> Evidence | None:
        """What was seen at the threshold. Its own bound is not to be quoted: it was chosen."""
        passed = (one for one in self.tested if one.threshold == self.threshold)
        return next(passed, None)


def upper_tail(right: int, n: int, precision: float) -> float:
    """The probability of at least `right` successes in `n` trials of a success rate.

    Computed from the logarithms of its terms, so that it holds for thousands of trials.
    """
    if right <= 0:
        return 1.0
    if right > n or precision <= 0.0:
        return 0.0
    if precision >= 1.0:
        return 1.0
    i = np.arange(right, n + 1)
    log_term = _log_choose(n, right) + i * math.log(precision) + (n - i) * math.log1p(-precision)
    return min(1.0, float(np.exp(log_term).sum()))


def precision_bound(right: int, n: int, confidence: float) -> float:
    """The exact lower bound of a success rate (Clopper and Pearson 1934), one-sided.

    The largest rate p at which `right` or more successes in `n` trials have a probability of at
    most 1 - confidence: a true rate below the bound is claimed wrongly in at most that share of
    all cases. 0 where there is no success.

    Raises:
        ValueError: if the counts or the confidence are impossible.
    """
    _check_share(confidence, "confidence")
    if not 0 <= right <= n:
        raise ValueError(f"expected 0 <= right <= n, found {right} of {n}.")
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if upper_tail(right, n, middle) <= 1 - confidence:
            low = middle
        else:
            high = middle
    return low


def thresholds_by_rank(
    unlabelled: Floats, held_out: int, precision: float, confidence: float
) -> list[float]:
    """Thresholds to test, the strictest first: confidences of unlabelled samples, by their rank.

    No held-out label and no held-out confidence is read, so the list is fixed beforehand. It begins
    where about twice as many held-out samples are expected above the threshold as are needed if
    all are right (fewer where there are few), and ends at the lowest confidence.

    Args:
        unlabelled: confidences of the samples that are to be labelled.
        held_out: number of held-out samples.
        precision: to be shown.
        confidence: to show it with.
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
    """The lowest threshold at which labels are shown to have a precision, by held-out labels.

    Fixed-sequence testing, as in "Learn then Test" (Angelopoulos, Bates, Candes, Jordan and Lei
    2021, section 2.2): threshold by threshold, in an order that was fixed without the labels, the
    hypothesis "the precision above it is below the one asked for" is tested by the exact binomial
    tail at level 1 - confidence; the first hypothesis that is not rejected ends it.

    Why no correction is needed for the number of tests: if no hypothesis is true, nothing can be
    claimed wrongly. Otherwise let j be the first true one in the order, which does not depend on
    the labels. A threshold is claimed wrongly only if the sequence gets as far as j and rejects
    it, and a true hypothesis is rejected with a probability of at most 1 - confidence. To scan all
    thresholds and quote the bound of the best one has no such guarantee.

    This holds for samples that are drawn like the held-out ones, independently of each other and
    of the models; frames of one clip are not, so they have to be made one sample first. What holds
    at the threshold is the precision asked for, and not the bound that would be computed there.

    Args:
        precision: asked for, between 0 and 1.
        confidence: that the answer is to hold with, between 0 and 1.
        confidences: of the held-out samples.
        right: whether their predicted labels are right.
        thresholds: to be tested in this order, fixed without the labels (`thresholds_by_rank`).

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
    """What held-out labels show, whatever is asked for, of the most confident samples.

    All bounds hold at once with that confidence, so the best of them may be quoted: each of the n
    is computed at level (1 - confidence) / n (Bonferroni).

    Args:
        confidence: that all bounds are to hold with.
        confidences: of the held-out samples.
        right: whether their predicted labels are right.
        unlabelled: confidences of the samples that are to be labelled, whose ranks fix the steps.
    """
    if not len(unlabelled) or not len(right):
        return []
    falling = np.sort(unlabelled)[::-1]
    steps = [float(falling[math.ceil(share * len(falling)) - 1]) for share in LADDER]
    each = 1 - (1 - confidence) / len(LADDER)
    return [evidence(step, each, confidences, right) for step in steps]


def evidence(threshold: float, confidence: float, confidences: Floats, right: Bools) -> Evidence:
    """What held-out labels say of one threshold."""
    above = confidences >= threshold
    n, hits = int(above.sum()), int(right[above].sum())
    return Evidence(threshold=threshold, n=n, right=hits, confidence=confidence)


def fewest_labels(precision: float, confidence: float) -> int:
    """How many held-out labels show a precision if every one of them is right."""
    _check_share(precision, "precision")
    _check_share(confidence, "confidence")
    return math.ceil(math.log(1 - confidence) / math.log(precision) - 1e-12)


def labels_needed(precision: float, confidence: float, right: int, n: int) -> int | None:
    """How many held-out labels would show a precision, at the share of right ones that was seen.

    Returns:
        The number above the threshold, an estimate; None if the share seen is not above the
        precision, or a million labels would not do.
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
    """Logarithms of n over i, for i from `least` to n."""
    logs = np.array([math.lgamma(i + 1) for i in range(n + 1)])
    upper = np.arange(least, n + 1)
    found: Floats = logs[n] - logs[upper] - logs[n - upper]
    return found


def _check_share(value: float, name: str) -> None:
    if not 0 < value < 1:
        raise ValueError(f"expected {name} between 0 and 1, found {value}.")
