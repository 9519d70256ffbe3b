"""Optimisation of one flat vector: SGD or AdamW, schedules, clipping, weight averaging."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from gradmix.declarations.choices import Schedule
from gradmix.declarations.optimiser import OptimiserConfig

SECOND_BETA = 0.999
EPSILON = 1e-8
"""AdamW's decay of the squared gradient (beta_2), and its epsilon."""


class Optimiser:
    """An SGD or AdamW optimiser on a vector [P].

    Not `torch.optim`, because importing it costs every training a second and 150 MiB.

    Args:
        config: settings of the optimiser.
        vector: the parameters, read only for their size, dtype and device.
    """

    def __init__(self, config: OptimiserConfig, vector: Tensor) -> None:
        self.config = config
        # SGD: velocity. AdamW: running means of the gradient and its square.
        self._memory = vector.new_zeros(2 if config.optimiser == "adamw" else 1, len(vector))
        self._steps = 0

    def step(self, vector: Tensor, gradient: Tensor, rate: float | Tensor) -> None:
        """Update the vector [P] from the gradient [P], which is clipped in place.

        A tensor rate stays on its device.
        """
        if self.config.clip:
            gradient.mul_((self.config.clip / (gradient.norm() + 1e-6)).clamp_max(1.0))
        self._steps += 1
        if self.config.optimiser == "adamw":
            self._adamw(vector, gradient, rate)
        else:
            self._sgd(vector, gradient, rate)

    def state_dict(self) -> dict[str, Any]:
        """Everything the next step depends on, apart from vector and gradient."""
        return {"memory": self._memory.clone(), "steps": self._steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state from `state_dict`."""
        self._memory.copy_(state["memory"])
        self._steps = state["steps"]

    def _sgd(self, vector: Tensor, gradient: Tensor, rate: float | Tensor) -> None:
        if self.config.weight_decay:
            gradient = gradient.add(vector, alpha=self.config.weight_decay)
        velocity = self._memory[0]
        velocity.mul_(self.config.momentum).add_(gradient)
        if isinstance(rate, Tensor):
            vector.sub_(velocity * rate)
        else:
            vector.add_(velocity, alpha=-rate)

    def _adamw(self, vector: Tensor, gradient: Tensor, rate: float | Tensor) -> None:
        """Decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2)."""
        first, (mean, square) = self.config.momentum, self._memory
        vector.mul_(1.0 - rate * self.config.weight_decay)
        mean.lerp_(gradient, 1.0 - first)
        square.mul_(SECOND_BETA).addcmul_(gradient, gradient, value=1.0 - SECOND_BETA)
        root = (square.sqrt() / math.sqrt(1.0 - SECOND_BETA**self._steps)).add_(EPSILON)
        if isinstance(rate, Tensor):
            vector.sub_(mean / root * (rate / (1.0 - first**self._steps)))
        else:
            vector.addcdiv_(mean, root, value=-rate / (1.0 - first**self._steps))


def schedule_factor(schedule: Schedule, step: int, steps: int, warm_up: int = 0) -> float:
    """Factor in (0, 1] on the learning rate at a given step.

    Args:
        schedule: shape after the warm-up: `constant` is 1, `cosine` is (1 + cos(pi t)) / 2 and
            `linear` is 1 - t, where t in [0, 1) is the fraction of steps done.
        step: number of steps done before this one.
        steps: total number of steps, more than `warm_up`.
        warm_up: number of initial steps over which the factor rises linearly to 1.
    """
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    t = (step - warm_up) / (steps - warm_up)
    if schedule == "cosine":
        return (1.0 + math.cos(math.pi * t)) / 2.0
    return 1.0 - t if schedule == "linear" else 1.0


class Average:
    """Exponential moving average of a vector of weights.

    The decay of update n is min(decay, n / (n + 9)), so that the random initial weights do not
    dominate the average of a short training.

    Args:
        vector: the initial weights [P].
        decay: decay rate, in (0, 1).
    """

    def __init__(self, vector: Tensor, decay: float) -> None:
        self.vector, self.decay, self.updates = vector.clone(), decay, 0

    def add(self, vector: Tensor) -> None:
        """Move the average towards the current weights."""
        self.updates += 1
        kept = min(self.decay, self.updates / (self.updates + 9))
        self.vector.lerp_(vector, 1.0 - kept)

    @contextmanager
    def in_place_of(self, vector: Tensor) -> Iterator[None]:
        """Replace the weights by the average within the context."""
        present = vector.clone()
        vector.copy_(self.vector)
        try:
            yield
        finally:
            vector.copy_(present)

    def state_dict(self) -> dict[str, Any]:
        """Everything the next update depends on."""
        return {"vector": self.vector.clone(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state from `state_dict`."""
        self.vector.copy_(state["vector"])
        self.updates = state["updates"]
