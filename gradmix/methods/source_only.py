"""Source only: plain training on the sources (Eq. 1, §4.2)."""

from collections.abc import Sequence

from torch import Tensor

from gradmix.declarations.methods.source_only import DECLARATION, SourceOnlyConfig
from gradmix.method import Method
from gradmix.sampling import Batch


class SourceOnly(Method):
    """SGD on the sum or the mean of the source gradients."""

    declaration = DECLARATION
    config: SourceOnlyConfig

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step on a mini-batch of each source; `target` is ignored."""
        scale = 1.0 if self.config.combine == "sum" else 1.0 / len(sources)
        return self.descend(dict(zip(self.sources, sources, strict=True)), scale=scale)
