"""What a training is given."""

from dataclasses import dataclass
from pathlib import Path

from gradmix.declarations.choices import Precision, Schedule
from gradmix.declarations.training import TrainingConfig
from gradmix.settings import later
from tasks.jobs.inputs.models import MethodInputs, Recipe
from tasks.jobs.inputs.streams import BatchSettings, StreamInputs

CURVE = "curve.json"


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(BatchSettings, Recipe):
    """Length and recipe of a training.

    Attributes:
        steps: number of gradient descent steps.
        validate_every: steps between hyper-validations.
        schedule: schedule of the learning rate after the warm-up.
        warm_up: initial steps, over which the rate rises linearly.
        average: decay of the moving average of the weights; 0 for none.
        precision: precision of the trunk's passes.
    """

    steps: int
    validate_every: int
    schedule: Schedule = later("constant")
    warm_up: int = later(0)
    average: float = later(0.0)
    precision: Precision = later("float32")

    @property
    def loop(self) -> TrainingConfig:
        """Settings of the training loop."""
        return TrainingConfig(
            steps=self.steps,
            validate_every=self.validate_every,
            schedule=self.schedule,
            warm_up=self.warm_up,
            average=self.average,
            precision=self.precision,
        )


@dataclass(frozen=True, kw_only=True)
class TrainJob(StreamInputs, MethodInputs):
    """One training.

    Attributes:
        training: its length, and sizes of mini-batches.
        initial: folder of the training whose weights are the start; None for random ones.
        crossed: accuracy and loss of the same training with each part of V held out, if nothing is
            held out here; None if hyper-validation gives them.
    """

    training: TrainingSettings
    initial: Path | None = None
    crossed: tuple[float, float] | None = None
