"""What GradMixSGD declares: its settings, and the data it reads."""

from dataclasses import dataclass

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.steering import SteeringConfig


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


DECLARATION = Declaration(
    name="gradmix_sgd",
    config=GradMixSGDConfig,
    implementation="gradmix.methods.gradmix_sgd:GradMixSGD",
    version=2,
    cost=1.1,
)
