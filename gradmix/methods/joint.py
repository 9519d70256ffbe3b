"""Joint: V as one more plain source. A strong baseline that is not in the paper."""

from collections.abc import Sequence

from torch import Tensor

from gradmix.declarations.methods.joint import DECLARATION, JointConfig
from gradmix.method import Method
from gradmix.sampling import Batch


class Joint(Method):
    """SGD on the sum of the gradients of all sources and V."""

    declaration = DECLARATION
    config: JointConfig

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step on a mini-batch of each source and V."""
        named = dict(zip(self.sources, sources, strict=True))
        return self.descend(named, self.required(target, "V"))
