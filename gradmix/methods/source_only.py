"""Source only: plain training on the sources (Eq. 1, §4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from gradmix.method import Method
from gradmix.sampling import Batch

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


class SourceOnly(Method):
    """SGD on the sum or the mean of the source gradients."""

    name = "source_only"
    uses_target = False
    config: SourceOnlyConfig

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step on a mini-batch of each source; `target` is ignored."""
        scale = 1.0 if self.config.combine == "sum" else 1.0 / len(sources)
        return self.descend(dict(zip(self.sources, sources, strict=True)), scale=scale)
