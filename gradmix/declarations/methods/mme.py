"""What MME declares: its settings, and the data it reads."""

from dataclasses import dataclass

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.target import TargetConfig


@dataclass(frozen=True, kw_only=True)
class MMEConfig(TargetConfig):
    """Settings of MME.

    Attributes:
        entropy_weight: weight lambda of the entropy on U; 0.1 in the authors' code.
        rate_factor: factor on the learning rate of both steps. The temperature makes gradients 20
            times larger: training diverges at the other methods' rate of 0.05, but not at the
            authors' 0.01.

    Raises:
        ValueError: if the weight is negative or the factor not positive.
    """

    entropy_weight: float = 0.1
    rate_factor: float = 0.2

    def __post_init__(self) -> None:
        """Reject a negative weight, which would swap the two players, and a factor of zero."""
        if not self.rate_factor > 0:
            raise ValueError(f"rate_factor must be positive, found {self.rate_factor}.")
        if not self.entropy_weight >= 0:
            raise ValueError(f"entropy_weight must not be negative, found {self.entropy_weight}.")


DECLARATION = Declaration(
    name="mme",
    config=MMEConfig,
    implementation="gradmix.methods.mme:MME",
    version=2,
    source_scope="target_classes",
    uses_unlabelled=True,
    cost=1.1,
)
