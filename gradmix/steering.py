"""Steered descent: source gradients mixed layer by layer towards V's gradient (§3.3, §3.4).

The base of GradMix and its variants, which are in `gradmix.methods`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from torch import Tensor

from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.declarations.steering import SteeringConfig
from gradmix.grouping import trunk_layers
from gradmix.layer_weights import Gram, importance_of, solve_layers, solve_named, weight_figures
from gradmix.method import Method
from gradmix.mixing import learning_rate_scale
from gradmix.networks import Network
from gradmix.sampling import Batch
from gradmix.solving import batched
from gradmix.solving.batched import Solutions
from gradmix.solving.solvers import Solution, Solver, solver_named


@dataclass(frozen=True)
class Mixture:
    """Mixture of one mini-batch of each source, before any step.

    Attributes:
        losses: loss of each data set, in nats.
        solutions: weights and cosine of each layer l = 1..L-1.
        rho_scale: number of layers under grouping `layer`, relative to the current grouping.
    """

    losses: dict[str, float]
    solutions: Sequence[Solution] | Solutions
    rho_scale: float = 1.0

    @property
    def rho(self) -> float:
        """Rescaled importance (Eq. 8); layers without a cosine are skipped."""
        if isinstance(self.solutions, Solutions):
            return cast("float", self.rho_scale * self.solutions.cosine.sum())
        return self.rho_scale * importance_of(self.solutions)


class Steered(Method):
    """Layer-wise mixing of source gradients, steered by V, with an adaptive learning rate.

    The last layers are not mixed (Eq. 6 ends at L-1): each head gets the plain gradient of the data
    that use it. Eta scales the learning rate of the whole step.

    Args:
        network: trained in place; takes `forward(x, head)`, with the last layers under `heads`.
        sources: names of the source streams, in the order of the batches.
        optimiser: update rule and learning rate.
        config: settings of the mixing.
        extra: names of further gradients to mix.
        aside: number of further gradient rows that are not mixed.
    """

    config: SteeringConfig

    def __init__(
        self,
        network: Network,
        sources: Sequence[str],
        optimiser: OptimiserConfig,
        config: SteeringConfig,
        extra: Sequence[str] = (),
        aside: int = 0,
    ) -> None:
        self.mixed = (*sources, *extra)
        super().__init__(
            network,
            sources,
            optimiser,
            config,
            len(self.mixed) + 1 + aside,
            config.grouping,
            config.soft_direction,
        )
        self._solver = solver_named(config.solver)
        self._rho_scale = len(trunk_layers(network)) / len(self.flat.layer_names)

    @property
    def v_row(self) -> int:
        """Row of V's gradient, after the mixed ones."""
        return len(self.mixed)

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step (Eq. 10) on a mini-batch of each source, steered by V."""
        mixture = self.mix(sources, target, unlabelled)
        eta = 1.0
        if self.config.adaptive:
            eta = learning_rate_scale(mixture.rho, self.config.beta, self.config.gamma)
        self.step(eta)
        return {
            **mixture.losses,
            "rho": mixture.rho,
            "eta": eta,
            **self._figures(mixture.solutions),
        }

    def mix(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> Mixture:
        """Mix the gradients of all data sets into `flat.gradient`, without updating the network."""
        target = self.required(target, "V")
        self.flat.zero()
        losses = {
            f"loss/{name}": self.backward(batch, row)
            for row, (name, batch) in enumerate(zip(self.sources, sources, strict=True))
        }
        losses |= self.backward_unlabelled(target, unlabelled)
        losses["loss/V"] = self.backward_v(target, self.v_row)
        solutions = self.solve(target)
        head_rows = self.v_row + 1 if self.config.v_trains_head else self.v_row
        self.flat.set_mixed(solutions, head_rows)
        if self.config.v_trains_trunk:
            trunk = slice(0, self.flat.heads.start)
            self.flat.gradient[trunk] += self.flat.gradients[self.v_row, trunk]
        self.after_mixing()
        return Mixture(losses, solutions, self._rho_scale)

    def backward_unlabelled(self, target: Batch, unlabelled: Tensor | None) -> dict[str, float]:
        """Add the gradient of a loss on U to a row; a no-op by default."""
        return {}

    def after_mixing(self) -> None:
        """Add unmixed gradients to `flat.gradient`; a no-op by default."""

    def solve(self, target: Batch) -> Sequence[Solution] | Solutions:
        """Solve for the weights of every layer (Eq. 6), once all gradients are collected."""
        name = self.config.solver
        solver = batched.batched_solver(name, len(self.mixed)) if self.deferred else None
        if solver is None:
            return self.solve_each()
        rows = self.v_row + 1
        found = batched.solve_layers(self.flat.gram_tensor()[:, :rows, :rows], solver)
        return batched.without_opposed(found) if self.config.opposed == "skip" else found

    def solve_each(self) -> list[Solution]:
        """Solve for the weights of one layer after another, on the host."""
        rows, grams = (*self.mixed, "V"), self.flat.grams()
        return solve_layers(self.flat.layer_names, rows, grams, self._solver, self.config.opposed)

    def solve_named(self, layer: str, gram: Gram, solver: Solver) -> Solution:
        """Solve for the weights of one layer from the Gram matrix of all rows."""
        return solve_named(layer, (*self.mixed, "V"), gram, solver, self.config.opposed)

    def _figures(self, solutions: Sequence[Solution] | Solutions) -> dict[str, float]:
        """Metrics of the weights."""
        if isinstance(solutions, Solutions):
            return cast("dict[str, float]", solutions.figures(self.flat.layer_names, self.mixed))
        return weight_figures(self.flat.layer_names, self.mixed, solutions)
