"""Target only: plain training on V (§4.2)."""

from collections.abc import Sequence

from torch import Tensor

from gradmix.declarations.methods.target_only import DECLARATION, TargetOnlyConfig
from gradmix.method import Method
from gradmix.sampling import Batch


class TargetOnly(Method):
    """SGD on the labelled target samples alone."""

    declaration = DECLARATION
    config: TargetOnlyConfig

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step on V; `sources` is ignored."""
        return self.descend({}, self.required(target, "V"))
