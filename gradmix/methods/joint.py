"""Joint: V as one more plain source; not in the paper, and a strong baseline."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from gradmix.method import Method, TargetConfig
from gradmix.sampling import Batch


@dataclass(frozen=True, kw_only=True)
class JointConfig(TargetConfig):
    """That of every method that reads V, and no other."""


class Joint(Method):
    """SGD on the sum of the gradients of every source and of V."""

    name = "joint"
    config: JointConfig

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """One step on a mini-batch of every source and of V."""
        named = dict(zip(self.sources, sources, strict=True))
        return self.descend(named, self.required(target, "V"))
