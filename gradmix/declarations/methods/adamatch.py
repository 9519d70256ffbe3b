"""What AdaMatch declares: its settings, and the data it reads."""

from dataclasses import dataclass

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.target import TargetConfig
from gradmix.declarations.unlabelled import refuse_momentum, refuse_negative_weight


@dataclass(frozen=True, kw_only=True)
class AdaMatchConfig(TargetConfig):
    """Settings of AdaMatch; defaults are the authors'.

    Attributes:
        threshold: minimum confidence of a pseudo-label, as a fraction of the mean confidence on
            weak views of the sources.
        ramp: fraction of the training over which the weight of U's loss grows from zero.
        unlabelled_weight: weight of U's loss after the ramp.
        ema_momentum: momentum of the class frequencies predicted for the sources.
        window: number of mini-batches over which those predicted for U are averaged.
        flip: whether views are mirrored with probability one half; for photographs.

    Raises:
        ValueError: if a setting is outside its range.
    """

    threshold: float = 0.9
    ramp: float = 0.5
    unlabelled_weight: float = 1.0
    ema_momentum: float = 0.999
    window: int = 128
    flip: bool = False

    def __post_init__(self) -> None:
        """Check the ranges of the settings."""
        for field, share in (("threshold", self.threshold), ("ramp", self.ramp)):
            if not 0 <= share <= 1:
                raise ValueError(f"{field} must be in [0, 1], found {share}.")
        refuse_negative_weight(self.unlabelled_weight)
        refuse_momentum(self.ema_momentum)
        if self.window < 1:
            raise ValueError(f"window must be at least 1, found {self.window}.")


DECLARATION = Declaration(
    name="adamatch",
    config=AdaMatchConfig,
    implementation="gradmix.methods.adamatch:AdaMatch",
    uses_unlabelled=True,
    unlabelled_ratio=3,
    cost=4.4,
)
