"""What SLA declares: its settings, and the data it reads."""

from dataclasses import dataclass

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.target import TargetConfig


@dataclass(frozen=True, kw_only=True)
class SLAConfig(TargetConfig):
    """Settings of SLA; defaults are the authors', whose trainings have 10,000 steps.

    Attributes:
        alpha: weight of the adapted label in a source's loss.
        temperature: factor T on the distances to the centres.
        length: norm that feature vectors are scaled to when distances are computed; the authors'
            head reads features of this norm.
        warm_up: fraction of the training before labels are adapted; 2,000 steps there.
        interval: fraction of the training between updates of the centres; 500 steps there.

    Raises:
        ValueError: if a setting is outside its range.
    """

    alpha: float = 0.3
    temperature: float = 0.6
    length: float = 20.0
    warm_up: float = 0.2
    interval: float = 0.05

    def __post_init__(self) -> None:
        """Check the ranges of the settings."""
        for field, share in (("alpha", self.alpha), ("warm_up", self.warm_up)):
            if not 0 <= share <= 1:
                raise ValueError(f"{field} must be in [0, 1], found {share}.")
        for field, size in (("temperature", self.temperature), ("length", self.length)):
            if not size > 0:
                raise ValueError(f"{field} must be positive, found {size}.")
        if not 0 < self.interval <= 1:
            raise ValueError(f"interval must be in (0, 1], found {self.interval}.")


DECLARATION = Declaration(
    name="sla",
    config=SLAConfig,
    implementation="gradmix.methods.sla:SLA",
    uses_unlabelled=True,
    cost=1.2,
)
