"""What GradMixFixMatch declares: its settings, and the data it reads."""

from dataclasses import dataclass

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.unlabelled import ConfidentGuesses, SemiSupervisedConfig


@dataclass(frozen=True, kw_only=True)
class GradMixFixMatchConfig(SemiSupervisedConfig, ConfidentGuesses):
    """Settings of FixMatch, and the weight of its loss."""

    def __post_init__(self) -> None:
        """Run the checks of both base classes."""
        super().__post_init__()
        self.check_threshold()


DECLARATION = Declaration(
    name="gradmix_fixmatch",
    config=GradMixFixMatchConfig,
    implementation="gradmix.methods.gradmix_fixmatch:GradMixFixMatch",
    version=2,
    uses_unlabelled=True,
    cost=1.8,
)
