"""What GradMixSoftMatch declares: its settings, and the data it reads."""

from dataclasses import dataclass

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.unlabelled import SemiSupervisedConfig, SoftWeighting


@dataclass(frozen=True, kw_only=True)
class GradMixSoftMatchConfig(SemiSupervisedConfig, SoftWeighting):
    """Settings of SoftMatch, and the weight of its loss."""

    def __post_init__(self) -> None:
        """Run the checks of both base classes."""
        super().__post_init__()
        self.check_weighting()


DECLARATION = Declaration(
    name="gradmix_softmatch",
    config=GradMixSoftMatchConfig,
    implementation="gradmix.methods.gradmix_softmatch:GradMixSoftMatch",
    uses_unlabelled=True,
    cost=1.8,
)
