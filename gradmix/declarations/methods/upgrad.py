"""What UPGrad declares: its settings, and the data it reads."""

from dataclasses import dataclass
from typing import get_args

from gradmix.declarations.choices import Grouping
from gradmix.declarations.declaration import Declaration
from gradmix.declarations.target import TargetConfig


@dataclass(frozen=True, kw_only=True)
class UPGradConfig(TargetConfig):
    """Settings of UPGrad.

    Attributes:
        grouping: which trunk parameters share weights; the authors use the whole trunk.

    Raises:
        ValueError: if the grouping is unknown.
    """

    grouping: Grouping = "model"

    def __post_init__(self) -> None:
        """Check the grouping."""
        if self.grouping not in get_args(Grouping):
            raise ValueError(
                f"grouping must be one of layer, tensor, model. Found {self.grouping!r}."
            )


DECLARATION = Declaration(
    name="upgrad",
    config=UPGradConfig,
    implementation="gradmix.methods.upgrad:UPGrad",
    cost=1.1,
)
