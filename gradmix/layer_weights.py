"""Weights of a network's named layers, and what they say together (Eq. 6 to 8).

The mixing core that the methods and `Mixer` share; gradients come in as Gram matrices.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal, get_args

from gradmix.mixing import weight_entropy
from gradmix.solving.solvers import NonFiniteGradientError, Solution, Solver, solve_layer

Gram = Sequence[Sequence[float]]
Opposed = Literal["vertex", "skip"]
"""What becomes of a layer where no source's gradient points along the target's: the least bad
source alone, or no step of the sources."""


def refuse_unknown(opposed: str) -> None:
    """Refuse what is no `Opposed`.

    Raises:
        ValueError: naming those that are.
    """
    if opposed not in get_args(Opposed):
        raise ValueError(f"opposed must be one of vertex, skip. Found {opposed!r}.")


def solve_named(
    layer: str, rows: Sequence[str], gram: Gram, solver: Solver, opposed: Opposed = "vertex"
) -> Solution:
    """Weights of one layer.

    Args:
        layer: its name.
        rows: names of the gradients, the target's last.
        gram: dot products of the gradients; rows and columns beyond those named are left out.
        solver: of Eq. 6.
        opposed: what becomes of the layer where no source points along the target's gradient.

    Raises:
        FloatingPointError: if a gradient holds NaN or Inf.
    """
    size = len(rows)
    try:
        solution = solve_layer([row[:size] for row in gram[:size]], solver)
    except NonFiniteGradientError as error:
        raise FloatingPointError(
            f"the gradient of {rows[error.index]} in layer {layer} holds NaN or "
            "Inf; lower the learning rate or check the data."
        ) from error
    if opposed == "skip" and _is_opposed(solution):
        return Solution((0.0,) * len(solution.weights), None, "skipped")
    return solution


def solve_layers(
    layers: Sequence[str],
    rows: Sequence[str],
    grams: Sequence[Gram],
    solver: Solver,
    opposed: Opposed = "vertex",
) -> list[Solution]:
    """Weights of every layer, as `solve_named` gives them."""
    return [
        solve_named(layer, rows, gram, solver, opposed)
        for layer, gram in zip(layers, grams, strict=True)
    ]


def importance_of(solutions: Sequence[Solution]) -> float:
    """Importance rho (Eq. 8) of solved layers; layers without a cosine are left out."""
    return sum(s.cosine for s in solutions if s.cosine is not None)


def weight_figures(
    layers: Sequence[str], sources: Sequence[str], solutions: Sequence[Solution]
) -> dict[str, float]:
    """For the curves: mean weight entropy, solver regimes, and the weights of every layer."""
    entropies = [weight_entropy(solution.weights) for solution in solutions]
    figures = {"weight_entropy": sum(entropies) / len(entropies)}
    for regime, count in Counter(solution.regime for solution in solutions).items():
        figures[f"count/{regime}"] = float(count)
    for layer, solution in zip(layers, solutions, strict=True):
        for source, weight in zip(sources, solution.weights, strict=True):
            figures[f"weight/{layer}/{source}"] = weight
    return figures


def _is_opposed(solution: Solution) -> bool:
    """Whether no source's gradient points along the target's."""
    if solution.regime == "single":
        return solution.cosine is not None and solution.cosine <= 0.0
    return solution.regime == "vertex"
