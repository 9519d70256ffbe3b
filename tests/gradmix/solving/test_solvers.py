"""Layer weights against independent oracles, hand-computed tables and every degenerate case."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import nnls

from gradmix.solving.exact import exact
from gradmix.solving.layer_problem import LayerProblem
from gradmix.solving.slsqp import slsqp
from gradmix.solving.solvers import (
    SOLVERS,
    NonFiniteGradientError,
    Solution,
    solve_layer,
    solver_named,
)

TOLERANCE = 1e-9
PER_KIND = 400


def gram(sources, target) -> list[list[float]]:
    rows = np.vstack([np.asarray(sources, dtype=float), np.asarray(target, dtype=float)])
    return (rows @ rows.T).tolist()


def solved(sources, target, solver: str = "exact") -> Solution:
    return solve_layer(gram(sources, target), solver_named(solver))


def cosine(mixed: np.ndarray, target: np.ndarray) -> float:
    lengths = np.linalg.norm(mixed) * np.linalg.norm(target)
    return float(mixed @ target / lengths) if lengths > 0 else 0.0


KINDS = (
    "independent", "aligned", "opposed", "spread", "collinear", "duplicates", "near_collinear",
    "near_opposite", "zero_source", "all_zero", "zero_target", "inside_cone", "integer",
)  # fmt: skip


def brute_force(sources: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> float:
    """The best cosine found without Gram matrices: NNLS, every vertex and random mixtures."""
    lengths = np.linalg.norm(sources, axis=1)
    units = sources[lengths > 0] / lengths[lengths > 0, None]
    candidates = [units, rng.dirichlet(np.full(len(units), 0.5), size=40) @ units]
    columns, _ = nnls(units.T, target)
    if columns.any():
        candidates.append((columns @ units)[None])
    mixed = np.concatenate(candidates)
    mixed_lengths = np.linalg.norm(mixed, axis=1)
    # Below this norm a mixture has cancelled out and its direction is rounding error.
    mixed, mixed_lengths = mixed[mixed_lengths > 1e-9], mixed_lengths[mixed_lengths > 1e-9]
    return float((mixed @ target / mixed_lengths).max() / np.linalg.norm(target))


@pytest.mark.parametrize("kind", KINDS)
def test_exact_is_never_below_brute_force_nor_slsqp(random_problem, kind) -> None:
    """5,200 random problems in all, k = 1..5; cosines are taken from vectors, not from Grams."""
    rng = np.random.default_rng(KINDS.index(kind))
    for _ in range(PER_KIND):
        sources, target = random_problem(kind, rng)
        solution = solved(sources, target)
        weights = np.array(solution.weights)
        assert weights.min() >= 0.0
        assert weights.sum() == pytest.approx(1.0, abs=1e-12)
        if not sources.any() or not target.any():
            assert solution.cosine is None
            assert solution.weights == (1.0 / len(sources),) * len(sources)
            continue
        assert not weights[~sources.any(axis=1)].any(), "a zero gradient must get no weight"
        reached = cosine(weights @ sources, target)
        assert reached >= brute_force(sources, target, rng) - TOLERANCE
        assert solution.cosine == pytest.approx(reached, abs=1e-6)
        other = np.array(solved(sources, target, "slsqp").weights) @ sources
        assert reached >= cosine(other, target) - TOLERANCE


@pytest.mark.parametrize("kind", ["independent", "aligned", "spread", "inside_cone"])
def test_cone_solutions_satisfy_kkt_and_pythagoras(random_problem, kind) -> None:
    """With p the projection on the cone: g_i.(v - p) <= 0, = 0 where w_i > 0, cos = |p| / |v|."""
    rng = np.random.default_rng(100)
    seen = 0
    for _ in range(300):
        sources, target = random_problem(kind, rng)
        solution = solved(sources, target)
        if solution.regime != "cone":
            continue
        seen += 1
        weights = np.array(solution.weights)
        mixed = weights @ sources
        projection = mixed * (mixed @ target) / (mixed @ mixed)
        rest = target - projection
        size = np.linalg.norm(target)
        slack = sources @ rest / np.linalg.norm(sources, axis=1) / size
        assert slack.max() <= 1e-8
        assert np.abs(slack[weights > 0]).max() <= 1e-8
        assert solution.cosine == pytest.approx(np.linalg.norm(projection) / size, abs=1e-9)
        assert solution.cosine**2 == pytest.approx(1 - (rest @ rest) / size**2, abs=1e-9)
    assert seen > 100


def test_two_sources_match_the_closed_form() -> None:
    """Interior if both components of G^-1 b are positive, else the better single source."""
    rng = np.random.default_rng(7)
    for _ in range(500):
        sources, target = rng.normal(size=(2, 4)), rng.normal(size=4)
        b = sources @ target
        g = sources @ sources.T
        inner = np.array([g[1, 1] * b[0] - g[0, 1] * b[1], g[0, 0] * b[1] - g[0, 1] * b[0]])
        if inner.min() > 0 and b.max() > 0:
            expected = inner / inner.sum()
        else:
            expected = np.eye(2)[int(np.argmax(b / np.sqrt(np.diag(g))))]
        assert solved(sources, target).weights == pytest.approx(expected, abs=1e-9)


# Worked out by hand: sources, target, weights, cosine of the mixture, regime.
GOLDEN = [
    # 1*(1,0) + 1*(0,1) = v: weights 1 : 1.
    ([(1, 0), (0, 1)], (1, 1), (1 / 2, 1 / 2), 1.0, "cone"),
    # 1*(1,0) + 1/2*(0,2) = v: weights 2 : 1, the longer gradient needs less.
    ([(1, 0), (0, 2)], (1, 1), (2 / 3, 1 / 3), 1.0, "cone"),
    # a + 3b = 2 and 2a + b = 2 give a = 4/5, b = 2/5.
    ([(1, 2), (3, 1)], (2, 2), (2 / 3, 1 / 3), 1.0, "cone"),
    # v projects on (1,2,0): cos = sqrt 5 / 3.
    ([(1, 0, 0), (0, 1, 0)], (1, 2, 2), (1 / 3, 2 / 3), math.sqrt(5) / 3, "cone"),
    # As above; the third source points away from v and from the projection's remainder.
    ([(1, 0, 0), (0, 1, 0), (0, 0, -1)], (1, 2, 2), (1 / 3, 2 / 3, 0), math.sqrt(5) / 3, "cone"),
    # v = -1*(1,0) + 1*(1,1) lies outside the cone: its nearest edge is (1,1), cos = 1/sqrt 2.
    ([(1, 0), (1, 1)], (0, 1), (0, 1), math.sqrt(0.5), "cone"),
    # Cosines -1 and -1/sqrt 2: the larger wins alone; every mixture lies between them.
    ([(-1, 0), (-1, 1)], (1, 0), (0, 1), -math.sqrt(0.5), "vertex"),
    # Cosines -1 and 0: a right angle is the best possible.
    ([(-1, 0), (0, 3)], (1, 0), (0, 1), 0.0, "vertex"),
    # Collinear, lengths 1 and 2: least norm of w1 + 2 w2 = const is 1 : 2.
    ([(1, 0), (2, 0)], (1, 1), (1 / 3, 2 / 3), math.sqrt(0.5), "cone"),
    # The same, opposed to v: least norm again, and the cosine changes sign.
    ([(1, 0), (2, 0)], (-1, 1), (1 / 3, 2 / 3), -math.sqrt(0.5), "vertex"),
    # Duplicates split equally, beside an independent source: (1,0) needs 1, (0,1) needs 1.
    ([(1, 0), (0, 1), (1, 0)], (1, 1), (1 / 4, 1 / 2, 1 / 4), 1.0, "cone"),
    # Exactly opposed sources: the one along v, never a mixture that cancels.
    ([(1, 0), (-1, 0)], (1, 1), (1, 0), math.sqrt(0.5), "cone"),
    # A zero gradient is ignored, whatever the sign of the other.
    ([(0, 0), (-1, 1)], (1, 0), (0, 1), -math.sqrt(0.5), "single"),
    ([(0, 0), (1, 0), (0, 1)], (1, 1), (0, 1 / 2, 1 / 2), 1.0, "cone"),
    ([(-3, 4)], (1, 0), (1,), -0.6, "single"),
    ([(0, 0), (0, 0)], (1, 0), (1 / 2, 1 / 2), None, "no_source"),
    ([(1, 0), (0, 1)], (0, 0), (1 / 2, 1 / 2), None, "no_target"),
]


@pytest.mark.parametrize(("sources", "target", "weights", "cos", "regime"), GOLDEN)
def test_exact_agrees_with_the_table_by_hand(sources, target, weights, cos, regime) -> None:
    solution = solved(sources, target)
    assert solution.weights == pytest.approx(weights, abs=1e-9)
    assert solution.cosine == (None if cos is None else pytest.approx(cos, abs=1e-9))
    assert solution.regime == regime


def test_sgd_weights_are_positive_dot_products() -> None:
    # (1,2).(2,2) = 6, (3,1).(2,2) = 8, (-1,0).(2,2) < 0; the mixture is (15,10)/7.
    solution = solved([(1, 2), (3, 1), (-1, 0)], (2, 2), "sgd")
    assert solution.weights == pytest.approx((6 / 14, 8 / 14, 0))
    assert solution.cosine == pytest.approx(50 / math.sqrt(325 * 8))


def test_sgd_takes_the_vertex_of_exact_where_no_source_helps() -> None:
    sources, target = [(-1, 0), (-1, 1)], (1, 0)
    assert solved(sources, target, "sgd") == solved(sources, target, "exact")


def test_uniform_weights_skip_zero_gradients_only() -> None:
    solution = solved([(5, 0), (0, 0), (0, 1)], (1, 0), "uniform")
    assert solution.weights == (0.5, 0.0, 0.5)
    assert solution.cosine == pytest.approx(5 / math.sqrt(26))


def test_sources_opposed_up_to_rounding_fall_back_to_the_best_alone() -> None:
    """Their mixture would cancel out, leaving a difference of rounding errors."""
    rng = np.random.default_rng(9)
    for angle in (1e-6, 1e-8, 1e-12):
        source, across, target = rng.normal(size=(3, 6))
        across -= source * (across @ source) / (source @ source)
        sources = np.stack([source, angle * across - source])
        solution = solved(sources, target)
        assert sorted(solution.weights) == [0.0, 1.0]
        assert solution.cosine == pytest.approx(max(cosine(s, target) for s in sources))


def test_a_mixture_that_cancels_has_cosine_zero() -> None:
    assert solved([(1, 0), (-1, 0)], (1, 1), "uniform").cosine == 0.0


@pytest.mark.parametrize("solver", SOLVERS)
@example(seed=53694, kind="spread")  # five sources in three dimensions
@example(seed=4620, kind="spread")  # gradients whose sizes differ by a factor of 15,000
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(["independent", "opposed", "spread"]))
def test_permuting_sources_permutes_weights(random_problem, solver, seed, kind) -> None:
    rng = np.random.default_rng(seed)
    sources, target = random_problem(kind, rng)
    order = rng.permutation(len(sources))
    if solver == "slsqp":
        # A local search may end at another local maximum; if all are aligned there is only one.
        sources, target = random_problem("aligned", rng)
        order = rng.permutation(len(sources))
    before = np.array(solved(sources, target, solver).weights)
    after = np.array(solved(sources[order], target, solver).weights)
    # More sources than dimensions: among mixtures within 1e-12 of the best cosine, hence 1e-6 of
    # its direction, `exact` takes the weights of least norm.
    dependent = solver == "exact" and len(sources) > sources.shape[1]
    tolerance = 1e-4 if solver == "slsqp" else 1e-6 if dependent else 1e-9
    assert after == pytest.approx(before[order], abs=tolerance)
    if solver != "slsqp":
        assert cosine(after @ sources[order], target) == pytest.approx(
            cosine(before @ sources, target), abs=1e-12
        )


@pytest.mark.parametrize("solver", ["exact", "sgd"])
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1e-30, 1e-6, 1e6, 1e30]))
def test_a_common_scale_changes_nothing(random_problem, solver, seed, scale) -> None:
    sources, target = random_problem("independent", np.random.default_rng(seed))
    before, after = solved(sources, target, solver), solved(sources * scale, target, solver)
    assert after.weights == pytest.approx(before.weights, abs=1e-9)
    longer = solved(sources, target * scale, solver)
    assert longer.weights == pytest.approx(before.weights, abs=1e-9)


@given(seed=st.integers(0, 10**6), scale=st.floats(1e-3, 1e3))
def test_scaling_one_source_keeps_the_mixed_direction(random_problem, seed, scale) -> None:
    sources, target = random_problem("independent", np.random.default_rng(seed))
    scaled = sources * np.array([scale] + [1.0] * (len(sources) - 1))[:, None]
    before = np.array(solved(sources, target).weights) @ sources
    after = np.array(solved(scaled, target).weights) @ scaled
    assert cosine(before, after) == pytest.approx(1.0, abs=1e-9)


def test_gradients_whose_squares_barely_exist_get_weights() -> None:
    """Norms of 1e-160 have squares at the limit of double range."""
    for solver in SOLVERS:
        solution = solved([(1e-160, 0.0), (0.0, 1e-160)], (1e-160, 1e-160), solver)
        assert sum(solution.weights) == pytest.approx(1.0)
        assert math.isfinite(solution.cosine)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("row", [0, 1, 2])
def test_a_gradient_that_is_not_finite_is_named_by_its_row(bad, row) -> None:
    rows = np.eye(3)
    rows[row, 0] = bad
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(NonFiniteGradientError, match=f"gradient {row} ") as caught,
    ):
        solve_layer((rows @ rows.T).tolist(), exact)
    assert caught.value.index == row


def test_slsqp_matches_exact_where_all_sources_are_aligned(random_problem) -> None:
    rng = np.random.default_rng(3)
    for _ in range(100):
        sources, target = random_problem("aligned", rng)
        assert solved(sources, target, "slsqp").cosine == pytest.approx(
            solved(sources, target).cosine, abs=1e-6
        )


def test_slsqp_leaves_its_start() -> None:
    problem = LayerProblem([[1.0, 0.0], [0.0, 1.0]], [0.6, 0.8], [1.0, 1.0])
    first, second = slsqp(problem)
    assert first / second == pytest.approx(0.75, abs=1e-5)


def test_an_unknown_solver_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"exact, slsqp, sgd, uniform\. Found 'best'"):
        solver_named("best")
