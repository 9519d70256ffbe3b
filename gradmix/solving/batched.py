"""Weights of all layers at once, on the gradients' device, without host synchronisation.

The same rules as `gradmix.solving.solvers`, in tensor operations only. Every support is solved,
which suits few sources; on a CPU the plain form is several times faster.
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
"""Maximum number k of sources for the batched `exact`, which solves 2^k - 1 supports."""

REGIMES: tuple[Regime, ...] = get_args(Regime)

_SMALLEST_RAY = 1e-13
_SHORTER = 1.0 - 1e-9


class Solutions(NamedTuple):
    """Weights of L layers: the batched form of `gradmix.solving.solvers.Solution`.

    Attributes:
        weights: [L, k]; NaN if a gradient of the layer contains NaN or Inf.
        cosine: [L]; zero if a zero gradient leaves it undefined, NaN as above.
        regime: int64 [L], indices into `REGIMES`.
    """

    weights: Tensor
    cosine: Tensor
    regime: Tensor

    def figures(self, layers: Sequence[str], sources: Sequence[str]) -> dict[str, Tensor]:
        """Metrics to log: mean weight entropy, regimes and every layer's weights."""
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
    """Weight problems of L layers in unit-norm columns.

    Attributes:
        correlation: R [L, k, k].
        cosine: c [L, k].
        norm: [L, k]; one where a source's gradient is zero.
        present: bool [L, k], whether a source's gradient is non-zero.
    """

    correlation: Tensor
    cosine: Tensor
    norm: Tensor
    present: Tensor


BatchedSolver = Callable[[LayerProblems], Tensor]
"""Maps L problems to non-negative weights [L, k], up to a scale per layer."""


def solve_layers(grams: Tensor, solver: BatchedSolver) -> Solutions:
    """Solve all layers from Gram matrices, float64 [L, k + 1, k + 1] with the target last.

    Agrees with `solve_layer` in cosines to 1e-8, unless sources all but cancel out, and in weights
    to 1e-6, unless sources are so nearly collinear that weights within 1e-12 of the best cosine
    differ by more.
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
    """The solutions, with zero weights where no source's gradient points along V's."""
    alone = (solutions.regime == REGIMES.index("single")) & (solutions.cosine <= 0.0)
    opposed = alone | (solutions.regime == REGIMES.index("vertex"))
    return Solutions(
        solutions.weights.where(~opposed[:, None], 0.0),
        solutions.cosine.where(~opposed, 0.0),
        solutions.regime.where(~opposed, REGIMES.index("skipped")),
    )


def exact(problems: LayerProblems) -> Tensor:
    """Maximise Eq. 6 for up to `MOST_SOURCES` sources, like `gradmix.solving.exact.exact`.

    If dependent sources differ in norm by more than 1e3, the weights may not be of least norm.
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
    """One step of learning to reweight from zero, like `gradmix.solving.solvers.sgd`."""
    weights = problems.cosine.clamp_min(0.0) * problems.norm * problems.present
    return torch.where(weights.any(1, keepdim=True), weights, vertex(problems))


def uniform(problems: LayerProblems) -> Tensor:
    """Equal weights."""
    return torch.ones_like(problems.norm)


BATCHED: dict[str, BatchedSolver] = {"exact": exact, "sgd": sgd, "uniform": uniform}


def batched_solver(name: str, sources: int) -> BatchedSolver | None:
    """The batched form of a solver for this number of sources; None if there is none."""
    return None if name == "exact" and sources > MOST_SOURCES else BATCHED.get(name)


def _normalised(grams: Tensor, squares: Tensor) -> tuple[LayerProblems, Tensor]:
    """The problems, and whether the target's gradient is non-zero, bool [L]."""
    exists = squares > 0.0
    norms = squares.sqrt().where(exists, 1.0)
    unit = grams / (norms[:, :, None] * norms[:, None, :])
    correlation, cosine = unit[:, :-1, :-1].clone(), unit[:, :-1, -1]
    correlation.diagonal(dim1=1, dim2=2).fill_(1.0)
    return LayerProblems(correlation, cosine, norms[:, :-1], exists[:, :-1]), exists[:, -1]


def _regime(problems: LayerProblems, target: Tensor) -> Tensor:
    """Indices into `REGIMES`, int64 [L]; `target` is True where its gradient is non-zero."""
    count = problems.present.sum(1)
    cone = problems.cosine.where(problems.present, -torch.inf).amax(1) > 0.0
    regime = torch.where(cone, REGIMES.index("cone"), REGIMES.index("vertex"))
    regime = torch.where(count == 1, REGIMES.index("single"), regime)
    regime = torch.where(count == 0, REGIMES.index("no_source"), regime)
    return torch.where(target, regime, REGIMES.index("no_target"))


def _supports(k: int, device: torch.device) -> Tensor:
    """All supports, bool [2^k - 1, k], created on the device to avoid a copy from the host."""
    numbers = torch.arange(1, 2**k, device=device)[:, None]
    return (numbers >> torch.arange(k, device=device)) % 2 == 1


def _faces(problems: LayerProblems, supports: Tensor) -> tuple[Tensor, Tensor]:
    """Columns [L, S, k] of the projection onto each support, and its squared norm [L, S].

    The squared norm is minus infinity where the projection leaves the cone or the sources are
    linearly dependent up to rounding.
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
    """Weights [L, k] of least norm with the mixed direction of `columns` [L, k].

    The optimum is the pseudo-inverse solution on its own support, so every support is tried.
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
    """Solve symmetric M x = b by unrolled elimination, as torch.linalg synchronises for errors.

    Args:
        matrix: M [L, S, k, k], positive semi-definite.
        right: b [L, S, k].
        smallest: pivots up to this value count as zero; x is zero there.

    Returns:
        x [L, S, k], and whether all pivots were non-zero, bool [L, S].
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
    """Unit vectors, the columns of [L, k, k], with these dot products, by Cholesky decomposition.

    Rows of directions below rounding are zero.
    """
    rest, rows = correlation, []
    for i in range(correlation.shape[1]):
        pivot = rest[:, i, i, None]
        rows.append((rest[:, i] * pivot.rsqrt()).where(pivot > SMALLEST_PIVOT, 0.0))
        rest = rest - rows[i][:, :, None] * rows[i][:, None, :]
    return torch.stack(rows, 1)


def _cosine(problems: LayerProblems, columns: Tensor) -> Tensor:
    """Cosines [L] of combinations [L, k] of unit columns with the target."""
    return _cosines(problems, columns[:, None])[:, 0]


def _cosines(problems: LayerProblems, columns: Tensor) -> Tensor:
    """Cosines [L, S] of combinations [L, S, k] with the target; 0 where one cancels out."""
    square = (columns @ problems.correlation * columns).sum(2)
    along = (columns * problems.cosine[:, None]).sum(2)
    cancelled = square <= TIE * columns.square().sum(2)
    return (along * square.rsqrt()).where(~cancelled, 0.0).clamp(-1.0, 1.0)


def _chosen(values: Tensor, place: Tensor) -> Tensor:
    """Entries [L, k] of [L, S, k] at indices [L]."""
    return values.take_along_dim(place[:, None, None], 1)[:, 0]
