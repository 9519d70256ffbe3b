"""Layer weights of all layers at once, where the gradients are: no number goes to the host.

The same rules as `gradmix.solving.solvers`, in tensor operations alone. Every support is solved, so
that it is for a few sources; on a CPU the plain form is several times faster.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

import torch
from torch import Tensor

from gradmix.solving.exact import TIED_CORRELATION
from gradmix.solving.layer_problem import TIE
from gradmix.solving.projection import SMALLEST_PIVOT
from gradmix.solving.solvers import Regime

MOST_SOURCES = 4
"""Up to here `exact` has a batched form; it solves 2^k - 1 supports."""

REGIMES: tuple[Regime, ...] = get_args(Regime)

_SMALLEST_RAY = 1e-13
_SHORTER = 1.0 - 1e-9


class Solutions(NamedTuple):
    """Weights of L layers, as `gradmix.solving.solvers.Solution` has those of one.

    Attributes:
        weights: [L, k]; NaN where a gradient of the layer holds NaN or Inf.
        cosine: [L]; zero where a zero gradient leaves it undefined, NaN as above.
        regime: int64 [L], places in `REGIMES`.
    """

    weights: Tensor
    cosine: Tensor
    regime: Tensor

    def figures(self, layers: Sequence[str], sources: Sequence[str]) -> dict[str, Tensor]:
        """Mean weight entropy, regimes and the weights of every layer, for the curves."""
        entropy = torch.special.entr(self.weights).sum(1) / math.log(max(len(sources), 2))
        counts = {f"count/{name}": (self.regime == i).sum() for i, name in enumerate(REGIMES)}
        weights = {
            f"weight/{layer}/{source}": weight
            for layer, of_layer in zip(layers, self.weights, strict=True)
            for source, weight in zip(sources, of_layer, strict=True)
        }
        return {"weight_entropy": entropy.mean(), **counts, **weights}


@dataclass(frozen=True)
class LayerProblems:
    """Problems of L layers in unit-norm columns; a source without a gradient is not `present`.

    Attributes:
        correlation: R [L, k, k].
        cosine: c [L, k].
        norm: [L, k], one where a source has no gradient.
        present: bool [L, k].
    """

    correlation: Tensor
    cosine: Tensor
    norm: Tensor
    present: Tensor


BatchedSolver = Callable[[LayerProblems], Tensor]
"""Maps L problems to weights [L, k], non-negative, on any common scale within a layer."""


def solve_layers(grams: Tensor, solver: BatchedSolver) -> Solutions:
    """Weights of all layers from their Gram matrices float64 [L, k + 1, k + 1], the target's last.

    Agrees with `solve_layer`: cosines to 1e-8, and weights to 1e-6 unless sources are so nearly
    collinear that weights within 1e-12 of the best cosine differ by more.
    """
    squares = grams.diagonal(dim1=1, dim2=2)
    problems, target = _normalised(grams, squares)
    weights = solver(problems) * problems.present
    mixable = target & problems.present.any(1)
    weights = torch.where(mixable[:, None], weights, 1.0)
    weights = weights / weights.sum(1, keepdim=True)
    cosine = _cosine(problems, weights * problems.norm * problems.present)
    finite = squares.isfinite().all(1)
    return Solutions(
        torch.where(finite[:, None], weights, torch.nan),
        torch.where(finite, cosine * mixable, torch.nan),
        _regime(problems, target),
    )


def without_opposed(solutions: Solutions) -> Solutions:
    """The solutions, with weights of zero where no source's gradient points along V's."""
    alone = (solutions.regime == REGIMES.index("single")) & (solutions.cosine <= 0.0)
    opposed = alone | (solutions.regime == REGIMES.index("vertex"))
    return Solutions(
        solutions.weights.where(~opposed[:, None], 0.0),
        solutions.cosine.where(~opposed, 0.0),
        solutions.regime.where(~opposed, REGIMES.index("skipped")),
    )


def exact(problems: LayerProblems) -> Tensor:
    """The maximiser of Eq. 6 for up to `MOST_SOURCES` sources, as `gradmix.solving.exact.exact`.

    Where dependent sources differ in size by more than 1e3, the weights may be longer.
    """
    supports = _supports(problems.cosine.shape[1], problems.cosine.device)
    columns, reached = _faces(problems, supports)
    columns = _chosen(columns, reached.argmax(1))
    weights = _of_least_norm(problems, supports, columns)
    cone = problems.cosine.where(problems.present, -torch.inf).amax(1) > 0.0
    return torch.where(cone[:, None], weights, vertex(problems))


def vertex(problems: LayerProblems) -> Tensor:
    """The best single source, split by least norm over the sources collinear with it."""
    cosine = problems.cosine.where(problems.present, -torch.inf)
    best = cosine >= cosine.amax(1, keepdim=True) - TIE
    collinear = _chosen(problems.correlation, best.byte().argmax(1)) >= 1.0 - TIED_CORRELATION
    return problems.norm * (best & collinear)


def sgd(problems: LayerProblems) -> Tensor:
    """One step of learning to reweight from zero, as `gradmix.solving.solvers.sgd`."""
    weights = problems.cosine.clamp_min(0.0) * problems.norm * problems.present
    return torch.where(weights.any(1, keepdim=True), weights, vertex(problems))


def uniform(problems: LayerProblems) -> Tensor:
    """Equal weights."""
    return torch.ones_like(problems.norm)


BATCHED: dict[str, BatchedSolver] = {"exact": exact, "sgd": sgd, "uniform": uniform}


def batched_solver(name: str, sources: int) -> BatchedSolver | None:
    """The batched form of a solver for so many sources; None if it has none."""
    return None if name == "exact" and sources > MOST_SOURCES else BATCHED.get(name)


def _normalised(grams: Tensor, squares: Tensor) -> tuple[LayerProblems, Tensor]:
    """The problems, and whether the target has a gradient, bool [L]."""
    exists = squares > 0.0
    norms = squares.sqrt().where(exists, 1.0)
    unit = grams / (norms[:, :, None] * norms[:, None, :])
    correlation, cosine = unit[:, :-1, :-1].clone(), unit[:, :-1, -1]
    correlation.diagonal(dim1=1, dim2=2).fill_(1.0)
    return LayerProblems(correlation, cosine, norms[:, :-1], exists[:, :-1]), exists[:, -1]


def _regime(problems: LayerProblems, target: Tensor) -> Tensor:
    """Places in `REGIMES`, int64 [L]; `target` says whether it has a gradient."""
    count = problems.present.sum(1)
    cone = problems.cosine.where(problems.present, -torch.inf).amax(1) > 0.0
    regime = torch.where(cone, REGIMES.index("cone"), REGIMES.index("vertex"))
    regime = torch.where(count == 1, REGIMES.index("single"), regime)
    regime = torch.where(count == 0, REGIMES.index("no_source"), regime)
    return torch.where(target, regime, REGIMES.index("no_target"))


def _supports(k: int, device: torch.device) -> Tensor:
    """Every support, bool [2^k - 1, k], made on the device: a list would be copied to it."""
    numbers = torch.arange(1, 2**k, device=device)[:, None]
    return (numbers >> torch.arange(k, device=device)) % 2 == 1


def _faces(problems: LayerProblems, supports: Tensor) -> tuple[Tensor, Tensor]:
    """Columns [L, S, k] of the projection on every support, and its squared length [L, S].

    The length is minus infinity where the projection leaves the cone, or sources depend on each
    other up to rounding.
    """
    pairs = supports[:, :, None] & supports[:, None, :]
    cosine = problems.cosine
    identity = torch.eye(cosine.shape[1], dtype=cosine.dtype, device=cosine.device)
    matrix = problems.correlation[:, None].where(pairs, identity)
    right = cosine[:, None] * supports
    columns, independent = _solved(matrix, right, SMALLEST_PIVOT)
    allowed = problems.present[:, None] & (columns > 0.0)
    inside = independent & (allowed | ~supports).all(2)
    return columns, torch.where(inside, (columns * right).sum(2), -torch.inf)


def _of_least_norm(problems: LayerProblems, supports: Tensor, columns: Tensor) -> Tensor:
    """The shortest weights [L, k] with the mixed direction of `columns` [L, k].

    As the optimum is the pseudo-inverse's solution on its own support, every support is tried.
    """
    norm = problems.norm * problems.present
    scale = problems.norm / norm.amax(1, keepdim=True)
    rays = _coordinates(problems.correlation) * scale[:, None]
    start = columns / scale
    chosen = rays[:, None] * supports[:, None, :]
    normal = chosen @ chosen.mT
    point = (rays @ start[:, :, None]).mT.expand(-1, len(supports), -1)
    smallest = _SMALLEST_RAY * normal.diagonal(dim1=2, dim2=3).amax(2)
    solved, _ = _solved(normal, point, smallest)
    found = (solved[:, :, None] @ chosen)[:, :, 0]
    lowest = _cosine(problems, columns) - TIE
    kept = (found >= 0.0).all(2) & (_cosines(problems, found * scale[:, None]) >= lowest[:, None])
    lengths = found.square().sum(2).where(kept, torch.inf)
    shorter = lengths.amin(1) < _SHORTER * start.square().sum(1)
    return torch.where(shorter[:, None], _chosen(found, lengths.argmin(1)), start)


def _solved(matrix: Tensor, right: Tensor, smallest: float | Tensor) -> tuple[Tensor, Tensor]:
    """Solve symmetric M x = b by elimination, unrolled: torch.linalg waits for its error codes.

    Args:
        matrix: M [L, S, k, k], positive semi-definite.
        right: b [L, S, k].
        smallest: pivots up to here count as zero; x has a zero there.

    Returns:
        x [L, S, k], and whether no pivot was zero, bool [L, S].
    """
    rows = torch.cat([matrix, right[..., None]], 3)
    k = right.shape[2]
    solved, independent = torch.zeros_like(right), []
    for i in range(k):
        pivot = rows[:, :, i, i]
        independent.append(pivot > smallest)
        factor = (rows[:, :, i + 1 :, i] / pivot[..., None]).where(independent[i][..., None], 0.0)
        rows[:, :, i + 1 :] -= factor[..., None] * rows[:, :, i, None]
    for i in reversed(range(k)):
        rest = rows[:, :, i, k] - (rows[:, :, i, i + 1 : k] * solved[:, :, i + 1 :]).sum(2)
        solved[:, :, i] = (rest / rows[:, :, i, i]).where(independent[i], 0.0)
    return solved, torch.stack(independent).all(0)


def _coordinates(correlation: Tensor) -> Tensor:
    """Unit vectors, columns of [L, k, k], with these dot products, by the Cholesky decomposition.

    Directions below rounding are left out: their row is zero.
    """
    rest, rows = correlation, []
    for i in range(correlation.shape[1]):
        pivot = rest[:, i, i, None]
        rows.append((rest[:, i] * pivot.rsqrt()).where(pivot > SMALLEST_PIVOT, 0.0))
        rest = rest - rows[i][:, :, None] * rows[i][:, None, :]
    return torch.stack(rows, 1)


def _cosine(problems: LayerProblems, columns: Tensor) -> Tensor:
    """Cosine [L] with the target of combinations [L, k] of unit columns."""
    return _cosines(problems, columns[:, None])[:, 0]


def _cosines(problems: LayerProblems, columns: Tensor) -> Tensor:
    """Cosines [L, S] of combinations [L, S, k] of unit columns; 0 where one cancels out."""
    square = (columns @ problems.correlation * columns).sum(2)
    along = (columns * problems.cosine[:, None]).sum(2)
    cancelled = square <= TIE * columns.square().sum(2)
    return (along * square.rsqrt()).where(~cancelled, 0.0).clamp(-1.0, 1.0)


def _chosen(values: Tensor, place: Tensor) -> Tensor:
    """Entries [L, k] of [L, S, k] at places [L]."""
    return values.take_along_dim(place[:, None, None], 1)[:, 0]
