"""Joint: V as one more plain source. A strong baseline that is not in the paper."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from gradmix.method import Method, TargetConfig
from gradmix.sampling import Batch


@dataclass(frozen=True, kw_only=True)
class JointConfig(TargetConfig):
    """Settings of joint training: those of `TargetConfig`."""


class Joint(Method):
    """SGD on the sum of the gradients of all sources and V."""

    name = "joint"
    config: JointConfig

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step on a mini-batch of each source and V."""
        named = dict(zip(self.sources, sources, strict=True))
        return self.descend(named, self.required(target, "V"))
