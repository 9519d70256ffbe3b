"""What SourceOnly declares: its settings, and the data it reads."""

from dataclasses import dataclass
from typing import Literal, get_args

from gradmix.declarations.declaration import Declaration

Combine = Literal["sum", "mean"]


@dataclass(frozen=True, kw_only=True)
class SourceOnlyConfig:
    """Settings of source-only training.

    Attributes:
        combine: how the source gradients are combined. The paper sums them (Eq. 1), while GradMix
            averages them (Eq. 7); `mean` makes the step sizes of the two comparable.
    """

    combine: Combine = "sum"

    def __post_init__(self) -> None:
        """Check the combination."""
        if self.combine not in get_args(Combine):
            raise ValueError(f"combine must be one of sum, mean. Found {self.combine!r}.")


DECLARATION = Declaration(
    name="source_only",
    config=SourceOnlyConfig,
    implementation="gradmix.methods.source_only:SourceOnly",
    uses_target=False,
)
