"""DoGE (arXiv 2310.15393): one running weight per source, by how its gradient aligns with V's."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gradmix.declarations.methods.doge import DECLARATION, DoGEConfig
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.method import Method
from gradmix.networks import Network
from gradmix.sampling import Batch


class DoGE(Method):
    """Multiplicative source weights, the same for all parameters, steered by V.

    Gradients are clipped to the norm `longest`. A source's score is the dot product of its gradient
    with V's, divided by the sources' mean norm and clamped to [0, best];
    w <- softmax(log w + weight_rate * score). The step follows the weighted sum of the clipped
    gradients.

    The authors use the weights to train a second, larger model; here this is the training itself.
    V's clipped gradient trains the target's head unless `v_trains_head` is off; theirs trains
    nothing.
    """

    declaration = DECLARATION
    config: DoGEConfig

    def __init__(
        self,
        network: Network,
        sources: Sequence[str],
        optimiser: OptimiserConfig,
        config: DoGEConfig,
    ) -> None:
        super().__init__(network, sources, optimiser, config, rows=len(sources) + 1)
        self.weights = [1.0 / len(sources)] * len(sources)

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step on a mini-batch of each source, steered by V."""
        labelled, flat, k = self.required(target, "V"), self.flat, len(self.sources)
        flat.zero()
        losses = {
            f"loss/{name}": self.backward(batch, row)
            for row, (name, batch) in enumerate(zip(self.sources, sources, strict=True))
        }
        losses["loss/V"] = self.backward_v(labelled, k)
        self.clip()
        self.weights = reweighed(self.weights, self.scores(), self.pace * self.config.weight_rate)
        torch.mv(flat.gradients[:k].T, flat.vector.new_tensor(self.weights), out=flat.gradient)
        if self.config.v_trains_head:
            flat.gradient[flat.heads] += flat.gradients[k, flat.heads]
        self.step()
        named = zip(self.sources, self.weights, strict=True)
        return {**losses, **{f"weight/{name}": weight for name, weight in named}}

    def clip(self) -> None:
        """Clip each gradient to the norm in the settings.

        Raises:
            FloatingPointError: if a gradient contains NaN or Inf.
        """
        lengths = torch.linalg.vector_norm(self.flat.gradients, dim=1)
        for name, length in zip([*self.sources, "V"], lengths.tolist(), strict=True):
            if not math.isfinite(length):
                raise FloatingPointError(
                    f"the gradient of {name} contains NaN or Inf; lower the learning rate or "
                    "check the data."
                )
        tiny = torch.finfo(lengths.dtype).tiny
        factors = (self.config.longest / lengths.clamp_min(tiny)).clamp_max(1.0)
        self.flat.gradients.mul_(factors[:, None])

    def scores(self) -> list[float]:
        """Scores [k] in [0, best] of the clipped gradients."""
        *sources, target = self.flat.gradients
        length = torch.linalg.vector_norm(self.flat.gradients[:-1], dim=1).mean()
        tiny = torch.finfo(length.dtype).tiny
        found = torch.stack([row @ target for row in sources]) / length.clamp_min(tiny)
        scores: list[float] = found.clamp(0.0, self.config.best).tolist()
        return scores

    def state_dict(self) -> dict[str, Any]:
        """The base class's state and the weights."""
        return {**super().state_dict(), "weights": list(self.weights)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state from `state_dict`, so that training resumes exactly."""
        super().load_state_dict(state)
        self.weights = list(state["weights"])


def reweighed(weights: Sequence[float], scores: Sequence[float], rate: float) -> list[float]:
    """Weights [k] times exp(rate * score), normalised to sum to one."""
    # Only score differences matter; subtracting the largest avoids overflow.
    most = max(scores)
    grown = [w * math.exp(rate * (s - most)) for w, s in zip(weights, scores, strict=True)]
    total = sum(grown)
    return [w / total for w in grown]
