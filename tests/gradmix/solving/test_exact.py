"""The exact solver against enumeration of all supports, and on larger problems."""

import numpy as np
import pytest
from scipy.optimize import nnls

from gradmix.solving.exact import exact
from gradmix.solving.layer_problem import LayerProblem, normalised
from gradmix.solving.least_norm import least_norm
from tests.gradmix.solving.oracle import by_enumeration

KINDS = (
    "independent", "aligned", "opposed", "spread", "collinear", "duplicates", "near_collinear",
    "near_opposite", "straight", "zero_source", "inside_cone", "integer", "huge",
)  # fmt: skip

LONGER = 1e-5
"""Allowed excess norm of the weights over the oracle's, which may trade 1e-12 of the cosine."""


def problem_of(sources: np.ndarray, target: np.ndarray) -> LayerProblem | None:
    """The problem of the sources with a gradient; None if there is nothing to mix."""
    rows = np.vstack([sources, target])
    gram = (rows @ rows.T).tolist()
    kept = [i for i in range(len(sources)) if gram[i][i] > 0.0]
    return normalised(gram, kept) if kept and gram[-1][-1] > 0.0 else None


def cosine_and_length(units, target, problem, weights) -> tuple[float, float]:
    """Cosine of the mixture, from vectors rather than Grams; norm of the weights over its norm."""
    columns = np.array(weights) * problem.norm
    scale = columns.max()
    mixed = (columns / scale) @ units
    length = np.linalg.norm(mixed)
    return float(mixed @ target / length), float(np.linalg.norm(np.array(weights) / scale) / length)


def disagreements(random_problem, kind: str, count: int, seed: int) -> tuple[int, list[str]]:
    """Number of problems, and those where cosine or weight norm is worse than the oracle's."""
    rng = np.random.default_rng(seed)
    seen, found = 0, []
    for n in range(count):
        sources, target = random_problem(kind, rng)
        problem = problem_of(sources, target)
        if problem is None:
            continue
        seen += 1
        weights, expected = exact(problem), by_enumeration(problem)
        assert min(weights) >= 0.0 < max(weights)
        lengths = np.linalg.norm(sources, axis=1)
        units = sources[lengths > 0.0] / lengths[lengths > 0.0, None]
        direction = target / np.linalg.norm(target)
        cosine, length = cosine_and_length(units, direction, problem, weights)
        best, shortest = cosine_and_length(units, direction, problem, expected)
        if cosine < best - 1e-11 or (length > shortest * (1.0 + LONGER) and kind != "huge"):
            found.append(f"{kind} {n}: cosine {cosine - best:.1e}, {length / shortest - 1:.1e}")
    return seen, found


@pytest.mark.parametrize("kind", KINDS)
def test_exact_finds_what_enumeration_finds(random_problem, kind) -> None:
    seen, found = disagreements(random_problem, kind, 100, seed=KINDS.index(kind))
    assert seen > 50
    assert not found


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_exact_finds_what_enumeration_finds_in_many_problems(random_problem, kind) -> None:
    """130,000 problems in all."""
    _, found = disagreements(random_problem, kind, 10_000, seed=1000 + KINDS.index(kind))
    assert not found


@pytest.mark.parametrize("shared", [0.0, 1.0])
def test_sources_are_not_limited_in_number(shared) -> None:
    """40 gradients, against NNLS on the vectors themselves."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        target = rng.normal(size=60)
        sources = rng.normal(size=(40, 60)) + shared * target
        problem = problem_of(sources, target)
        weights = np.array(exact(problem))
        expected, _ = nnls(sources.T, target)
        assert weights / weights.sum() == pytest.approx(expected / expected.sum(), abs=1e-9)


def test_many_sources_that_depend_on_each_other_take_no_exponential_time() -> None:
    """30 gradients in 4 dimensions: 2^30 supports, each of which could be a tie."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        sources = rng.normal(size=(30, 4)) * 10.0 ** rng.uniform(-2, 0, size=(30, 1))
        target = rng.random(30) @ sources
        weights = np.array(exact(problem_of(sources, target)))
        mixed = weights @ sources
        assert mixed == pytest.approx(target * np.linalg.norm(mixed) / np.linalg.norm(target))
        # The optimum of min |w|^2 / 2, w >= 0, G'w = p: w is the positive part of G y.
        kept = weights > 0.0
        y = np.linalg.lstsq(sources[kept], weights[kept], rcond=None)[0]
        assert (sources @ y).clip(0.0) == pytest.approx(weights, abs=1e-9 * weights.max())


def test_many_copies_share_what_one_would_get() -> None:
    sources = np.repeat(np.eye(2), [15, 10], axis=0)
    weights = np.array(exact(problem_of(sources, np.ones(2))))
    assert weights / weights.sum() == pytest.approx(np.repeat([1 / 30, 1 / 20], [15, 10]))


def test_least_norm_keeps_an_optimum_that_it_cannot_shorten() -> None:
    """Orthogonal sources are independent, whatever is tied."""
    problem = problem_of(np.diag([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 0.0]))
    columns = list(problem.cosine)
    weights = np.array(least_norm(problem, columns, [0, 1, 2]))
    assert weights / weights.sum() == pytest.approx([2 / 3, 1 / 3, 0.0])


def test_a_source_almost_in_the_span_of_others_takes_the_place_of_one() -> None:
    """Two sources 1e-6 apart, of which the one that is worse alone mixes better."""
    along, across, up = np.eye(3)
    sources = np.stack([along + 1e-6 * up, along - 1e-6 * up, across + 1e-3 * up])
    target = along + across - 1e-6 * up
    _, found = nnls(sources.T, target)
    problem = problem_of(sources, target)
    weights = np.array(exact(problem))
    rest = target - weights @ sources * (target @ (weights @ sources)) / np.sum(
        (weights @ sources) ** 2
    )
    assert np.linalg.norm(rest) == pytest.approx(found, abs=1e-9)
