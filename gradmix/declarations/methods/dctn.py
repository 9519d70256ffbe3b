"""What DCTN declares: its settings, and the data it reads."""

from dataclasses import dataclass
from typing import get_args

from gradmix.declarations.choices import Adversary
from gradmix.declarations.declaration import Declaration
from gradmix.declarations.target import TargetConfig


@dataclass(frozen=True, kw_only=True)
class DCTNConfig(TargetConfig):
    """Settings of DCTN.

    Attributes:
        adversary: discriminator losses: the paper's (`log`) or those of its code.
        threshold: minimum probability for a prediction on U to become a pseudo-label.
        adversary_weight: weight of the confusion loss; our choice.

    Raises:
        ValueError: if the adversary is unknown or a number out of range.
    """

    adversary: Adversary = "log"
    threshold: float = 0.9
    adversary_weight: float = 0.1

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.adversary not in get_args(Adversary):
            raise ValueError(
                f"adversary must be one of log, least_squares. Found {self.adversary!r}."
            )
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must be in [0, 1], found {self.threshold}.")
        if not self.adversary_weight >= 0:
            raise ValueError(
                f"adversary_weight must not be negative, found {self.adversary_weight}."
            )


DECLARATION = Declaration(
    name="dctn",
    config=DCTNConfig,
    implementation="gradmix.methods.dctn:DCTN",
    uses_unlabelled=True,
    cost=1.4,
)
