"""What DoGE declares: its settings, and the data it reads."""

from dataclasses import dataclass

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.target import TargetConfig


@dataclass(frozen=True, kw_only=True)
class DoGEConfig(TargetConfig):
    """Settings of DoGE.

    Attributes:
        weight_rate: learning rate of the log weights. The authors use their learning rate over
            mu = .01, about 5e-4 / .01. Here it follows the schedule but not the learning rate:
            SGD's is a hundred times theirs, and within a few steps only one source would be left.
        longest: norm that gradients are clipped to; the authors'.
        best: upper bound of a source's score; the authors'.
        v_trains_head: whether V's gradient also updates the target's head, as in GradMix.

    Raises:
        ValueError: if a number is not positive.
    """

    weight_rate: float = 0.05
    longest: float = 1.0
    best: float = 5.0
    v_trains_head: bool = True

    def __post_init__(self) -> None:
        """Check that the numbers are positive."""
        for field in ("weight_rate", "longest", "best"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field} must be positive, found {getattr(self, field)}.")


DECLARATION = Declaration(
    name="doge",
    config=DoGEConfig,
    implementation="gradmix.methods.doge:DoGE",
    cost=1.1,
)
