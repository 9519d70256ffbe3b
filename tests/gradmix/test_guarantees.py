"""The exact bound and the threshold it allows: golden numbers, and the guarantee by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gradmix.guarantees import (
    evidence,
    fewest_labels,
    labels_needed,
    ladder,
    precision_bound,
    threshold_for,
    thresholds_by_rank,
    upper_tail,
)

TARGET, CONFIDENCE = 0.9, 0.9
SIMULATIONS = 400


@given(st.integers(1, 3000), st.floats(0, 1), st.floats(0.001, 0.999))
def test_the_tail_is_scipy_s(n, share, rate):
    right = round(share * n)
    assert upper_tail(right, n, rate) == pytest.approx(
        stats.binom.sf(right - 1, n, rate), rel=1e-6, abs=1e-12
    )


@given(st.integers(1, 2000), st.floats(0, 1), st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_the_bound_is_scipy_s(n, share, confidence):
    right = round(share * n)
    interval = stats.binomtest(right, n, alternative="greater").proportion_ci(confidence, "exact")
    assert precision_bound(right, n, confidence) == pytest.approx(interval.low, abs=1e-9)


def test_golden_bounds():
    # All right: p^n = 1 - confidence; one of two right: 1 - (1 - p)^2 = 0.05.
    assert precision_bound(99, 99, 0.95) == pytest.approx(0.05 ** (1 / 99), abs=1e-12)
    assert precision_bound(1, 2, 0.95) == pytest.approx(1 - math.sqrt(0.95), abs=1e-12)
    assert precision_bound(0, 5, 0.95) == 0.0
    assert precision_bound(0, 0, 0.95) == pytest.approx(0.0, abs=1e-12)


def test_the_fewest_labels_show_it_and_one_less_does_not():
    # log(0.05) / log(0.97) = 98.35
    assert fewest_labels(0.97, 0.95) == 99
    assert precision_bound(99, 99, 0.95) >= 0.97 > precision_bound(98, 98, 0.95)
    # 0.5^3 = 0.125 exactly
    assert fewest_labels(0.5, 0.875) == 3


def test_labels_needed():
    # 1 % wrong: 3 of 257 to 300, of which 256 is the fewest that show 97 % (2 wrong: 208).
    assert 257 <= labels_needed(0.97, 0.95, 198, 200) <= 263
    needed = labels_needed(0.97, 0.95, 98, 100)
    assert upper_tail(math.floor(0.98 * needed), needed, 0.97) <= 0.05
    assert labels_needed(0.97, 0.95, 20, 20) == 99
    assert labels_needed(0.97, 0.95, 97, 100) is None
    assert labels_needed(0.97, 0.95, 970_001, 1_000_000) is None


def test_thresholds_fall_and_end_at_the_least_sure():
    sure = np.random.default_rng(0).random(500)
    found = thresholds_by_rank(sure, 400, 0.97, 0.95)
    assert found == sorted(found, reverse=True)
    assert found[-1] == sure.min()
    # Twice the 99 needed, of 400: the fraction of U above the first threshold.
    assert (sure >= found[0]).mean() == pytest.approx(198 / 400, abs=0.002)
    assert thresholds_by_rank(sure, 0, 0.97, 0.95) == []
    assert thresholds_by_rank(sure[:0], 10, 0.97, 0.95) == []
    # Too few labels to show anything: all are tested at once.
    assert thresholds_by_rank(sure, 20, 0.97, 0.95) == [sure.min()]


def test_the_sequence_stops_at_the_first_failure():
    sure = np.linspace(1, 0, 100)
    right = np.ones(100, bool)
    right[40:60] = False
    found = threshold_for(0.8, 0.9, sure, right, [sure[19], sure[39], sure[59], sure[99]])
    assert found.threshold == sure[39]
    assert [(one.n, one.right) for one in found.tested] == [(20, 20), (40, 40), (60, 40)]
    assert (found.shown.n, found.held_out) == (40, 100)
    none = threshold_for(0.99, 0.9, sure, right, [sure[19], sure[39]])
    assert (none.threshold, none.shown, len(none.tested)) == (None, None, 1)


@pytest.mark.parametrize(
    ("precision", "confidence"), [(0.0, 0.9), (1.0, 0.9), (0.9, 0.0), (0.9, 1.0)]
)
def test_shares_lie_between_0_and_1(precision, confidence):
    with pytest.raises(ValueError, match="between 0 and 1, found"):
        threshold_for(precision, confidence, np.ones(2), np.ones(2, bool), [0.5])


def violations(rng, rate, chosen, held_out=200):
    """Fraction of simulations that select a threshold above which the true rate is too low.

    Confidences are uniform; a label with confidence c is right with probability rate(c), and the
    true precision above t is the mean of rate over [t, 1].
    """
    grid = np.linspace(0, 1, 2001)
    wrong = 0
    for _ in range(SIMULATIONS):
        sure = rng.random(held_out)
        right = rng.random(held_out) < rate(sure)
        threshold = chosen(rng.random(400), sure, right)
        if threshold is not None:
            wrong += rate(grid[grid >= threshold]).mean() < TARGET
    return wrong / SIMULATIONS


def fixed_sequence(unlabelled, sure, right):
    thresholds = thresholds_by_rank(unlabelled, len(sure), TARGET, CONFIDENCE)
    return threshold_for(TARGET, CONFIDENCE, sure, right, thresholds).threshold


def scanned(unlabelled, sure, right):
    thresholds = thresholds_by_rank(unlabelled, len(sure), TARGET, CONFIDENCE)
    for threshold in sorted(thresholds):
        found = evidence(threshold, CONFIDENCE, sure, right)
        if upper_tail(found.right, found.n, TARGET) <= 1 - CONFIDENCE:
            return threshold
    return None


RATES = {
    "just below everywhere": lambda c: np.full_like(c, TARGET - 0.002),
    "falls with confidence": lambda c: 0.97 - 0.12 * c,
    "rises with confidence": lambda c: 0.75 + 0.25 * c,
}
WITHIN = 1 - CONFIDENCE + 3 * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / SIMULATIONS)


@pytest.mark.parametrize("name", RATES)
def test_the_promise_is_kept_in_simulations(name):
    assert violations(np.random.default_rng(1), RATES[name], fixed_sequence) <= WITHIN


def test_scanning_for_a_threshold_breaks_the_promise():
    rate = RATES["just below everywhere"]
    assert violations(np.random.default_rng(1), rate, scanned) > WITHIN


def test_bounds_of_the_ladder_hold_at_once():
    rng, rate, broken = np.random.default_rng(3), RATES["just below everywhere"], 0
    for _ in range(SIMULATIONS):
        sure = rng.random(200)
        steps = ladder(CONFIDENCE, sure, rng.random(200) < rate(sure), rng.random(400))
        broken += max(step.bound for step in steps) > TARGET - 0.002
    assert broken / SIMULATIONS <= WITHIN


def test_the_ladder_goes_down_to_all_samples():
    sure, right = np.linspace(1, 0, 80), np.arange(80) < 70
    found = ladder(0.9, sure, right, np.linspace(1, 0, 8))
    assert [(one.n, one.right) for one in found] == [(1, 1), (12, 12), (34, 34), (57, 57), (80, 70)]
    # Each of five at 2 %.
    assert found[2].bound == pytest.approx(0.02 ** (1 / 34), abs=1e-9)
    assert ladder(0.9, sure[:0], right[:0], sure) == []


def test_a_good_model_gets_most_labels():
    rng = np.random.default_rng(2)
    rate, shares = (lambda c: 0.8 + 0.2 * np.sqrt(c)), []
    for _ in range(50):
        sure = rng.random(1000)
        threshold = fixed_sequence(rng.random(400), sure, rng.random(1000) < rate(sure))
        shares.append(0.0 if threshold is None else 1 - threshold)
    # The precision of all labels is 0.933, so nearly all of them should be allowed.
    assert np.median(shares) > 0.95
