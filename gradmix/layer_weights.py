"""Mixing weights of a network's layers, and the importance they add up to (Eq. 6 to 8).

The mixing core shared by the methods and `Mixer`; gradients come in as Gram matrices.
"""

from collections import Counter
from collections.abc import Sequence

from gradmix.declarations.choices import Opposed
from gradmix.mixing import weight_entropy
from gradmix.solving.solvers import NonFiniteGradientError, Solution, Solver, solve_layer

Gram = Sequence[Sequence[float]]


def solve_named(
    layer: str, rows: Sequence[str], gram: Gram, solver: Solver, opposed: Opposed = "vertex"
) -> Solution:
    """Solve for the weights of one layer.

    Args:
        layer: name of the layer, for errors.
        rows: names of the gradients, the target's last.
        gram: dot products of the gradients; rows and columns beyond the named ones are ignored.
        solver: solver of Eq. 6.
        opposed: what to do if no source's gradient points along the target's.

    Raises:
        FloatingPointError: if a gradient contains NaN or Inf.
    """
    size = len(rows)
    try:
        solution = solve_layer([row[:size] for row in gram[:size]], solver)
    except NonFiniteGradientError as error:
        raise FloatingPointError(
            f"the gradient of {rows[error.index]} in layer {layer} contains NaN or "
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
    """Solve for the weights of every layer with `solve_named`."""
    return [
        solve_named(layer, rows, gram, solver, opposed)
        for layer, gram in zip(layers, grams, strict=True)
    ]


def importance_of(solutions: Sequence[Solution]) -> float:
    """Importance rho (Eq. 8) of solved layers; layers without a cosine are skipped."""
    return sum(s.cosine for s in solutions if s.cosine is not None)


def weight_figures(
    layers: Sequence[str], sources: Sequence[str], solutions: Sequence[Solution]
) -> dict[str, float]:
    """Metrics to log: mean weight entropy, solver regimes, and every layer's weights."""
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
