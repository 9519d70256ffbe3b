"""What GradMix declares: its settings, and the data it reads."""

from dataclasses import dataclass

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.steering import SteeringConfig


@dataclass(frozen=True, kw_only=True)
class GradMixConfig(SteeringConfig):
    """Settings of GradMix: those of `SteeringConfig`."""


DECLARATION = Declaration(
    name="gradmix",
    config=GradMixConfig,
    implementation="gradmix.methods.gradmix:GradMix",
    version=2,
    cost=1.1,
)
