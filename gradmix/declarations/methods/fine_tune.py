"""What FineTune declares: its settings, and the data it reads."""

from dataclasses import dataclass

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.target import TargetConfig
from gradmix.settings import later


@dataclass(frozen=True, kw_only=True)
class FineTuneConfig(TargetConfig):
    """Settings of fine-tuning.

    Attributes:
        frozen_norms: whether batch norm normalises V by the initial model's running statistics,
            which then stay fixed, rather than by V's mini-batch.
    """

    frozen_norms: bool = later(False)


DECLARATION = Declaration(
    name="fine_tune",
    config=FineTuneConfig,
    implementation="gradmix.methods.fine_tune:FineTune",
    source_scope="none",
    starts_from="source_only",
    cost=1.3,
)
