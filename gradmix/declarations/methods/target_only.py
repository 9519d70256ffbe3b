"""What TargetOnly declares: its settings, and the data it reads."""

from dataclasses import dataclass

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.target import TargetConfig


@dataclass(frozen=True, kw_only=True)
class TargetOnlyConfig(TargetConfig):
    """Settings of target-only training: those of `TargetConfig`."""


DECLARATION = Declaration(
    name="target_only",
    config=TargetOnlyConfig,
    implementation="gradmix.methods.target_only:TargetOnly",
    source_scope="none",
    cost=1.3,
)
