"""Settings of the optimiser."""

import math
from dataclasses import dataclass
from typing import get_args

from gradmix.declarations.choices import Rule


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """Settings of the optimiser; defaults are the paper's for digits (§4.1).

    Attributes:
        learning_rate: base learning rate, multiplied by the schedule and eta.
        momentum: momentum of SGD; beta_1 of AdamW.
        optimiser: `sgd`, or `adamw` with beta_2 = 0.999 and epsilon = 1e-8.
        weight_decay: weight decay on all parameters, added to the gradient for SGD and decoupled
            for AdamW.
        clip: maximum L2 norm of the whole gradient; 0 turns clipping off.

    Raises:
        ValueError: if a value is out of range or the optimiser unknown.
    """

    learning_rate: float = 0.05
    momentum: float = 0.9
    optimiser: Rule = "sgd"
    weight_decay: float = 0.0
    clip: float = 0.0

    def __post_init__(self) -> None:
        """Check the settings."""
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, found {self.learning_rate}.")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), found {self.momentum}.")
        if self.optimiser not in get_args(Rule):
            raise ValueError(f"optimiser must be one of sgd, adamw. Found {self.optimiser!r}.")
        for field in ("weight_decay", "clip"):
            if not 0 <= getattr(self, field) < math.inf:
                raise ValueError(f"{field} must not be negative, found {getattr(self, field)}.")
