"""GradMix: source gradients mixed layer by layer towards V's gradient (§3.3, §3.4)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from torch import nn

from gradmix.grouping import Grouping
from gradmix.losses import Direction
from gradmix.method import Method, OptimiserConfig
from gradmix.mixing import learning_rate_scale, weight_entropy
from gradmix.sampling import Batch
from gradmix.solvers import NonFiniteGradientError, Solution, solve_layer, solver_named


@dataclass(frozen=True, kw_only=True)
class GradMixConfig:
    """Settings of GradMix.

    Attributes:
        beta: rate of saturation of eta (Eq. 9), not negative.
        gamma: shift of eta (Eq. 9).
        adaptive: whether eta scales the learning rate (§3.4); if not, eta = 1.
        solver: of the layer weights (Eq. 6).
        grouping: what counts as a layer.
        v_trains_head: whether V's gradient also updates the target's head; the paper lists V among
            the training data but does not say how it is used.
        soft_direction: `reverse`, the paper's D_KL(p_theta, soft label), or `forward`.
        v_updates_statistics: whether V's pass updates the running statistics of batch norm.
    """

    beta: float = 5.0
    gamma: float = 0.4
    adaptive: bool = True
    solver: str = "exact"
    grouping: Grouping = "layer"
    v_trains_head: bool = True
    v_updates_statistics: bool = False
    soft_direction: Direction = "reverse"

    def __post_init__(self) -> None:
        """Refuse an unknown solver or direction and a negative beta."""
        if self.soft_direction not in get_args(Direction):
            raise ValueError(
                f"soft_direction must be one of reverse, forward. Found {self.soft_direction!r}."
            )
        solver_named(self.solver)
        learning_rate_scale(0.0, self.beta, self.gamma)


class GradMix(Method):
    """Layer-wise mixing of source gradients, steered by V, with an adaptive learning rate.

    The last layers are not mixed (Eq. 6 ends at L-1): each head gets the plain gradient of the data
    that use it. Eta scales the learning rate of the whole step.
    """

    def __init__(
        self,
        network: nn.Module,
        sources: Sequence[str],
        optimiser: OptimiserConfig,
        config: GradMixConfig,
    ) -> None:
        super().__init__(
            network,
            sources,
            optimiser,
            len(sources) + 1,
            config.grouping,
            config.soft_direction,
        )
        self.config = config
        self._solver = solver_named(config.solver)

    def update(self, sources: Sequence[Batch], target: Batch | None) -> dict[str, float]:
        """One step (Eq. 10) on a mini-batch of every source, steered by V.

        Raises:
            FloatingPointError: if a gradient holds NaN or Inf.
        """
        if target is None:
            raise ValueError("gradmix is steered by V, found no batch of it.")
        k = len(sources)
        self.flat.zero()
        losses = {
            f"loss/{name}": self.backward(batch, row)
            for row, (name, batch) in enumerate(zip(self.sources, sources, strict=True))
        }
        losses["loss/V"] = self.backward(
            target, k, update_statistics=self.config.v_updates_statistics
        )
        solutions = self._solve()
        rho = sum(s.cosine for s in solutions if s.cosine is not None)
        eta = 1.0
        if self.config.adaptive:
            eta = learning_rate_scale(rho, self.config.beta, self.config.gamma)
        self.flat.set_mixed(solutions, k + 1 if self.config.v_trains_head else k)
        self.step(eta)
        return {**losses, "rho": rho, "eta": eta, **self._telemetry(solutions)}

    def _solve(self) -> list[Solution]:
        """Weights of every layer; a gradient that is not finite ends the training."""
        solutions = []
        for name, gram in zip(self.flat.layer_names, self.flat.grams(), strict=True):
            try:
                solutions.append(solve_layer(gram, self._solver))
            except NonFiniteGradientError as error:
                of = [*self.sources, "V"][error.index]
                raise FloatingPointError(
                    f"the gradient of {of} in layer {name} holds NaN or Inf; "
                    "lower the learning rate or check the data."
                ) from error
        return solutions

    def _telemetry(self, solutions: Sequence[Solution]) -> dict[str, float]:
        """Mean weight entropy, solver regimes, and the weights of every layer."""
        entropies = [weight_entropy(solution.weights) for solution in solutions]
        figures = {"weight_entropy": sum(entropies) / len(entropies)}
        for regime, count in Counter(solution.regime for solution in solutions).items():
            figures[f"count/{regime}"] = float(count)
        for layer, solution in zip(self.flat.layer_names, solutions, strict=True):
            for source, weight in zip(self.sources, solution.weights, strict=True):
                figures[f"weight/{layer}/{source}"] = weight
        return figures
