"""What GradMixMixMatch declares: its settings, and the data it reads."""

from dataclasses import dataclass

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.unlabelled import SemiSupervisedConfig


@dataclass(frozen=True, kw_only=True)
class GradMixMixMatchConfig(SemiSupervisedConfig):
    """Settings of MixMatch; defaults are the authors' for SVHN, except weight and ramp.

    Attributes:
        temperature: sharpening temperature; 1 leaves a guess unchanged.
        alpha: parameter of the Beta(alpha, alpha) from which mixing coefficients are drawn.
        consistency_weight: weight of the squared error on U after the ramp. The authors' 250 is for
            Adam and a ramp of 16,384 steps. With plain SGD at a rate of .05 the heads, which are
            not mixed, get 250 times its gradient, and training collapses to one class as the ramp
            ends.
        ramp: fraction of the training over which that weight grows linearly from zero; 0 for no
            ramp. From USB, as the authors' 16,384 steps are longer than our trainings.
        flip: whether views are mirrored with probability one half; for photographs.

    Raises:
        ValueError: if a setting is outside its range.
    """

    temperature: float = 0.5
    alpha: float = 0.75
    consistency_weight: float = 10.0
    ramp: float = 0.4
    flip: bool = False

    def __post_init__(self) -> None:
        """Check the ranges of the settings."""
        super().__post_init__()
        for field, value in (("temperature", self.temperature), ("alpha", self.alpha)):
            if not value > 0:
                raise ValueError(f"{field} must be positive, found {value}.")
        if not self.consistency_weight >= 0:
            raise ValueError(
                f"consistency_weight must not be negative, found {self.consistency_weight}."
            )
        if not 0 <= self.ramp <= 1:
            raise ValueError(f"ramp must be in [0, 1], found {self.ramp}.")


DECLARATION = Declaration(
    name="gradmix_mixmatch",
    config=GradMixMixMatchConfig,
    implementation="gradmix.methods.gradmix_mixmatch:GradMixMixMatch",
    version=3,
    uses_unlabelled=True,
    cost=2.4,
)
