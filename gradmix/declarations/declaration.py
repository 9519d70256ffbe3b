"""What a method declares: its settings, the data it reads and where it is implemented."""

from dataclasses import dataclass
from typing import Any

from gradmix.declarations.choices import SourceScope
from gradmix.problem import TARGET_HEAD


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """Everything that is known of a method without importing torch.

    Attributes:
        name: name of the method.
        config: frozen dataclass of its settings, which checks their ranges.
        implementation: its subclass of `gradmix.method.Method`, as `package.module:Class`.
        version: bumped when the method computes something else, so that earlier trainings are not
            reused.
        source_scope: the sources `update` reads; a method gets only the data it declares.
        uses_target: whether it reads V.
        uses_unlabelled: whether it reads U.
        starts_from: the method whose trained model this one starts from; None starts from random
            weights.
        needs_map: whether the trunk must end in a map [B, F, h, w].
        unlabelled_ratio: size of a mini-batch of U, as a multiple of a source's.
        cost: time of a step per image of V and the sources, relative to joint training's, for
            estimates (docs/benchmarks.md: sources of 64 images, a V of 25).
    """

    name: str
    config: type[Any]
    implementation: str
    version: int = 1
    source_scope: SourceScope = "all"
    uses_target: bool = True
    uses_unlabelled: bool = False
    starts_from: str | None = None
    needs_map: bool = False
    unlabelled_ratio: int = 1
    cost: float = 1.0

    def reads_source(self, head: str) -> bool:
        """Whether the method reads sources whose labels train this head."""
        if self.source_scope == "target_classes":
            return head == TARGET_HEAD
        return self.source_scope == "all"
