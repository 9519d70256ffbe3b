"""Result of one mixing step."""

from collections.abc import Mapping
from dataclasses import dataclass

from gradmix.layer_weights import weight_figures
from gradmix.solving.solvers import Solution


@dataclass(frozen=True)
class Step:
    """Weights, importance and eta of one step.

    Attributes:
        layers: solution of each layer, by name.
        sources: names of the sources, in the order of the weights.
        rho: importance (Eq. 8), rescaled to the grouping `layer`; NaN if the step is skipped.
        eta: factor on the learning rate (Eq. 9); 1 if not adaptive.
        skipped: whether a gradient overflowed, so that the GradScaler skips the step.
    """

    layers: Mapping[str, Solution]
    sources: tuple[str, ...]
    rho: float
    eta: float
    skipped: bool = False

    @property
    def weights(self) -> dict[str, dict[str, float]]:
        """Weight of each source in each layer (Eq. 7)."""
        return {
            layer: dict(zip(self.sources, solution.weights, strict=True))
            for layer, solution in self.layers.items()
        }

    def figures(self) -> dict[str, float]:
        """The step as flat metrics, for a logger."""
        if self.skipped:
            return {"count/skipped": 1.0}
        found = weight_figures([*self.layers], self.sources, [*self.layers.values()])
        return {"rho": self.rho, "eta": self.eta, **found}
