"""GradMix SGD [31]: gradient descent on the mixing weights to lower the loss on V (Eq. 3)."""

from collections.abc import Mapping, Sequence

import torch

from gradmix.declarations.methods.gradmix_sgd import DECLARATION, GradMixSGDConfig
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.networks import Network
from gradmix.sampling import Batch
from gradmix.solving.batched import Solutions
from gradmix.solving.solvers import Solution, Solver, sgd
from gradmix.steering import Steered


class GradMixSGD(Steered):
    """Layer weights by learning to reweight; otherwise the same as GradMix.

    One step from w = 0 gives w_i = max(g_i . g_V, 0): the derivative of V's loss after a step along
    w is -alpha g_i . g_V, so no second backward pass is needed. If all weights are zero, Eq. 7 has
    nothing to normalise and `opposed` decides: the source with the largest cosine, or no step.
    Eq. 3 has one set of weights for the whole network, which is `grouping` `model` (the whole
    trunk); by default every layer has its own, as in GradMix.
    """

    declaration = DECLARATION

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
