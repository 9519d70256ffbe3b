"""What MDDA declares: its settings, and the data it reads."""

from dataclasses import dataclass

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.target import TargetConfig


@dataclass(frozen=True, kw_only=True)
class MDDAConfig(TargetConfig):
    """Settings of MDDA.

    Attributes:
        entropy_weight: weight of the entropy on U; our choice, left blank in the authors' code.

    Raises:
        ValueError: if the weight is negative.
    """

    entropy_weight: float = 0.1

    def __post_init__(self) -> None:
        """Check that the weight is not negative."""
        if not self.entropy_weight >= 0:
            raise ValueError(f"entropy_weight must not be negative, found {self.entropy_weight}.")


DECLARATION = Declaration(
    name="mdda",
    config=MDDAConfig,
    implementation="gradmix.methods.mdda:MDDA",
    uses_unlabelled=True,
    cost=1.4,
)
