"""Settings of the training loop."""

from dataclasses import dataclass
from typing import get_args

from gradmix.declarations.choices import Precision, Schedule


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Length, schedule, weight averaging and precision of a training.

    Attributes:
        steps: number of training steps.
        validate_every: steps between hyper-validations; the paper's "epoch" has 100.
        schedule: learning rate schedule after the warm-up; constant by default.
        warm_up: number of initial steps over which the rate rises linearly; fewer than `steps`.
        average: decay of the moving average of the weights; 0 for none. If there is an average, it
            is what is validated and kept. The trained weights are also validated, as `raw`, but
            do not affect selection.
        precision: precision of the trunk's passes in training. Heads, losses, Gram matrices,
            weights, steps and prediction stay in at least single precision.

    Raises:
        ValueError: if a number is out of range, or the schedule or precision is unknown.
    """

    steps: int = 1500
    validate_every: int = 100
    schedule: Schedule = "constant"
    warm_up: int = 0
    average: float = 0.0
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.schedule not in get_args(Schedule):
            raise ValueError(
                f"schedule must be one of {', '.join(get_args(Schedule))}. Found {self.schedule!r}."
            )
        if self.precision not in get_args(Precision):
            raise ValueError(
                f"precision must be one of {', '.join(get_args(Precision))}. "
                f"Found {self.precision!r}."
            )
        if not 0 <= self.average < 1:
            raise ValueError(f"average must be in [0, 1), found {self.average}.")
        if min(self.steps, self.validate_every) < 1:
            raise ValueError(
                "steps and validate_every must be at least 1, "
                f"found {self.steps} and {self.validate_every}."
            )
        if not 0 <= self.warm_up < self.steps:
            raise ValueError(
                f"warm_up must be at least 0 and below steps, {self.steps}, found {self.warm_up}."
            )
