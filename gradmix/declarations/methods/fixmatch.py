"""What FixMatch declares: its settings, and the data it reads."""

from dataclasses import dataclass

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.unlabelled import ConfidentGuesses, JointSemiSupervisedConfig


@dataclass(frozen=True, kw_only=True)
class FixMatchConfig(JointSemiSupervisedConfig, ConfidentGuesses):
    """Settings of FixMatch, and the weight of its loss."""

    def __post_init__(self) -> None:
        """Run the checks of both base classes."""
        super().__post_init__()
        self.check_threshold()


DECLARATION = Declaration(
    name="fixmatch",
    config=FixMatchConfig,
    implementation="gradmix.methods.fixmatch:FixMatch",
    uses_unlabelled=True,
    cost=1.8,
)
