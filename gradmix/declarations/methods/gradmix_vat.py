"""What GradMixVAT declares: its settings, and the data it reads."""

from dataclasses import dataclass

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.unlabelled import SemiSupervisedConfig


@dataclass(frozen=True, kw_only=True)
class GradMixVATConfig(SemiSupervisedConfig):
    """Settings of virtual adversarial training.

    Epsilon has the authors' value for SVHN but not their unit: here each image is standardised, so
    an image of 32 x 32 pixels has norm 32. Search it rather than trust it.

    Attributes:
        epsilon: L2 norm of the perturbation, in units of the standardised image.
        xi: norm of the perturbation at which the divergence's gradient is taken. The authors' 1e-6
            vanishes in single precision on inputs of unit scale.
        power_steps: number of power iterations for the worst direction.

    Raises:
        ValueError: if a norm is not positive or there is no step.
    """

    epsilon: float = 2.5
    xi: float = 1e-2
    power_steps: int = 1

    def __post_init__(self) -> None:
        """Check the ranges of the settings."""
        super().__post_init__()
        for field, length in (("epsilon", self.epsilon), ("xi", self.xi)):
            if not length > 0:
                raise ValueError(f"{field} must be positive, found {length}.")
        if self.power_steps < 1:
            raise ValueError(f"power_steps must be at least 1, found {self.power_steps}.")


DECLARATION = Declaration(
    name="gradmix_vat",
    config=GradMixVATConfig,
    implementation="gradmix.methods.gradmix_vat:GradMixVAT",
    version=2,
    uses_unlabelled=True,
    cost=2.1,
)
