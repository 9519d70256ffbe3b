"""GradMix SGD [31]: gradient descent on the mixing weights to lower the loss on V (Eq. 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from gradmix.networks import Network
from gradmix.optimiser import OptimiserConfig
from gradmix.sampling import Batch
from gradmix.solving.batched import Solutions
from gradmix.solving.solvers import Solution, Solver, sgd
from gradmix.steering import Steered, SteeringConfig


@dataclass(frozen=True, kw_only=True)
class GradMixSGDConfig(SteeringConfig):
    """Settings of GradMix SGD, in addition to those of `SteeringConfig`.

    Attributes:
        solver: the learning-to-reweight step, repeated `weight_steps` times.
        weight_steps: 1 takes one step from zero, in closed form since only its direction matters;
            more takes that many steps from equal weights, each with V's gradient at the parameters
            the weights lead to (Eq. 2).
        weight_rate: learning rate of the weights, if there is more than one step.

    Raises:
        ValueError: if there is no step, the rate is not positive, or the solver is not `sgd`.
    """

    solver: str = "sgd"
    weight_steps: int = 1
    weight_rate: float = 1.0

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        if self.solver != "sgd":
            raise ValueError(f"solver must be sgd. Found {self.solver!r}.")
        if self.weight_steps < 1:
            raise ValueError(f"weight_steps must be at least 1, found {self.weight_steps}.")
        if not self.weight_rate > 0:
            raise ValueError(f"weight_rate must be positive, found {self.weight_rate}.")


class GradMixSGD(Steered):
    """Layer weights by learning to reweight; otherwise the same as GradMix.

    One step from w = 0 gives w_i = max(g_i . g_V, 0): the derivative of V's loss after a step along
    w is -alpha g_i . g_V, so no second backward pass is needed. If all weights are zero, Eq. 7 has
    nothing to normalise and `opposed` decides: the source with the largest cosine, or no step.
    Eq. 3 has one set of weights for the whole network, which is `grouping` `model` (the whole
    trunk); by default every layer has its own, as in GradMix.
    """

    name = "gradmix_sgd"
    version = 2

    config: GradMixSGDConfig

    def __init__(
        self,
        network: Network,
        sources: Sequence[str],
        optimiser: OptimiserConfig,
        config: GradMixSGDConfig,
    ) -> None:
        super().__init__(network, sources, optimiser, config, aside=int(config.weight_steps > 1))

    def solve(self, target: Batch) -> Sequence[Solution] | Solutions:
        """One step in closed form, or `weight_steps` of descent."""
        if self.config.weight_steps == 1:
            return super().solve(target)
        # Raises on non-finite gradients before any parameter moves along them.
        self.solve_each()
        weights = self._descended(target)
        return [
            self.solve_named(name, gram, _given(weights[name], gram))
            for name, gram in zip(self.flat.layer_names, self.flat.grams(), strict=True)
        ]

    def _descended(self, target: Batch) -> Mapping[str, list[float]]:
        """Weights [k] of every layer after projected descent on f_V(Theta*(w)) (Eq. 3)."""
        flat, rate, k = self.flat, self.rate, len(self.mixed)
        aside, start = self.v_row + 1, self.flat.vector.clone()
        weights = flat.vector.new_full((len(flat.layer_names), k), 1.0 / k)
        for _ in range(self.config.weight_steps):
            for segment, of_layer in zip(flat.segments, weights, strict=True):
                flat.vector[segment] -= rate * (of_layer @ flat.gradients[:k, segment])
            flat.gradients[aside].zero_()
            self.backward(target, aside, update_statistics=False)
            flat.vector.copy_(start)
            downhill = torch.stack(
                [
                    flat.gradients[:k, segment] @ flat.gradients[aside, segment]
                    for segment in flat.segments
                ]
            )
            moved = weights + self.config.weight_rate * rate * downhill
            if not torch.isfinite(moved).all():
                raise FloatingPointError(
                    "the gradient of V after a step along the weights contains NaN or Inf; lower "
                    "learning_rate or weight_rate."
                )
            weights = moved.clamp_min(0.0)
        return dict(zip(flat.layer_names, weights.double().tolist(), strict=True))


def _given(weights: Sequence[float], gram: Sequence[Sequence[float]]) -> Solver:
    """A solver that returns these weights, or takes a single step if they are all zero."""
    kept = [weight for i, weight in enumerate(weights) if gram[i][i] > 0.0]
    return lambda problem: kept if any(kept) else sgd(problem)
