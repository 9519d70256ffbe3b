"""GradMix: source gradients mixed layer by layer towards V's gradient (§3.3, §3.4)."""

from dataclasses import dataclass

from gradmix.steering import Steered, SteeringConfig


@dataclass(frozen=True, kw_only=True)
class GradMixConfig(SteeringConfig):
    """Settings of GradMix: those of `SteeringConfig`."""


class GradMix(Steered):
    """The paper's method: exact layer weights (Eq. 6) and an adaptive learning rate (Eq. 9)."""

    name = "gradmix"
    version = 2
    config: GradMixConfig
