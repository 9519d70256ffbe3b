"""What EnergyNet declares: its settings, and the data it reads."""

from dataclasses import dataclass

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.target import TargetConfig


@dataclass(frozen=True, kw_only=True)
class EnergyNetConfig(TargetConfig):
    """Settings of EnergyNet; all defaults are ours, as the authors' are unknown.

    Attributes:
        energy_weight: weight of the energy loss.
        energy_margin: margin by which the true class's energy should exceed a wrong one's.
        triplet_weight: weight of the triplet loss.
        triplet_margin: margin by which maps of the same class should be closer than another's.

    Raises:
        ValueError: if a weight is negative or a margin not positive.
    """

    energy_weight: float = 1.0
    energy_margin: float = 1.0
    triplet_weight: float = 1.0
    triplet_margin: float = 0.2

    def __post_init__(self) -> None:
        """Check that weights are not negative and margins are positive."""
        for field in ("energy_weight", "triplet_weight"):
            if not getattr(self, field) >= 0:
                raise ValueError(f"{field} must not be negative, found {getattr(self, field)}.")
        for field in ("energy_margin", "triplet_margin"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field} must be positive, found {getattr(self, field)}.")


DECLARATION = Declaration(
    name="energynet",
    config=EnergyNetConfig,
    implementation="gradmix.methods.energynet:EnergyNet",
    source_scope="none",
    starts_from="source_only",
    needs_map=True,
    cost=1.5,
)
