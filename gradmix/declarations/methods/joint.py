"""What Joint declares: its settings, and the data it reads."""

from dataclasses import dataclass

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.target import TargetConfig


@dataclass(frozen=True, kw_only=True)
class JointConfig(TargetConfig):
    """Settings of joint training: those of `TargetConfig`."""


DECLARATION = Declaration(
    name="joint",
    config=JointConfig,
    implementation="gradmix.methods.joint:Joint",
)
