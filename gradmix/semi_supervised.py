"""Losses on U, as semi-supervised learning defines them, and how GradMix takes them in (§3.6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from gradmix.batch_norm import batch_statistics
from gradmix.grouping import Grouping
from gradmix.losses import Direction
from gradmix.method import Method
from gradmix.networks import Network
from gradmix.optimiser import OptimiserConfig
from gradmix.sampling import Batch
from gradmix.steering import Steered, SteeringConfig

UnlabelledTerm = Literal["mixed", "added"]

PSEUDO_LABELLED = "S_u"
UNLABELLED = "U"


@dataclass(frozen=True, kw_only=True)
class SemiSupervisedConfig(SteeringConfig):
    """Settings of the loss on U besides those of the steering.

    Attributes:
        unlabelled_weight: of the loss on U.
        unlabelled_term: the paper does not say where the loss on U enters. `mixed`: it is the
            pseudo-labelled source's second loss, or a source of its own where there is none, and
            its gradient is mixed like any other (Eq. 6); `added`: it is added after mixing.

    Raises:
        ValueError: if the weight is negative or the term unknown.
    """

    unlabelled_weight: float = 1.0
    unlabelled_term: UnlabelledTerm = "mixed"

    def __post_init__(self) -> None:
        """Refuse a negative weight and an unknown term."""
        super().__post_init__()
        if not self.unlabelled_weight >= 0:
            raise ValueError(
                f"unlabelled_weight must not be negative, found {self.unlabelled_weight}."
            )
        if self.unlabelled_term not in get_args(UnlabelledTerm):
            raise ValueError(
                f"unlabelled_term must be one of mixed, added. Found {self.unlabelled_term!r}."
            )


class OnUnlabelled(Method):
    """A method that draws random numbers for images of U.

    They come from a generator of the method's own, on the CPU, so that they are the same on every
    device and a resumed training draws the same.
    """

    uses_unlabelled = True

    def __init__(
        self,
        network: Network,
        sources: Sequence[str],
        optimiser: OptimiserConfig,
        config: object,
        rows: int = 1,
        grouping: Grouping = "layer",
        soft_direction: Direction = "reverse",
    ) -> None:
        super().__init__(network, sources, optimiser, config, rows, grouping, soft_direction)
        # The seed that the caller gave torch, without drawing from its generator.
        self.generator = torch.Generator().manual_seed(torch.initial_seed())

    def logits(self, images: Tensor, head: str, *, update_statistics: bool = False) -> Tensor:
        """Logits in training mode; running statistics are updated only if asked for."""
        with batch_statistics(self.network, updated=update_statistics):
            found: Tensor = self.network(images, head)
        return found

    def state_dict(self) -> dict[str, Any]:
        """The base's state, and the generator's."""
        return {**super().state_dict(), "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken."""
        super().load_state_dict(state)
        self.generator.set_state(state["generator"])


class SemiSupervised(Steered, OnUnlabelled):
    """GradMix with a loss on U; a variant says what `unlabelled_loss` is."""

    config: SemiSupervisedConfig

    def __init__(
        self,
        network: Network,
        sources: Sequence[str],
        optimiser: OptimiserConfig,
        config: SemiSupervisedConfig,
    ) -> None:
        added = config.unlabelled_term == "added"
        alone = not added and PSEUDO_LABELLED not in sources
        extra = (UNLABELLED,) if alone else ()
        super().__init__(network, sources, optimiser, config, extra, aside=int(added))
        if added:
            self._row = self.v_row + 1
        else:
            self._row = self.mixed.index(UNLABELLED if alone else PSEUDO_LABELLED)

    def unlabelled_loss(self, images: Tensor, target: Batch) -> Tensor:
        """The loss on images [B, C, H, W] of U, in training mode; `target` is V's mini-batch."""
        raise NotImplementedError

    def backward_unlabelled(self, target: Batch, unlabelled: Tensor | None) -> dict[str, float]:
        """The weighted gradient of the loss on U, in the row that the settings give it."""
        images = self.required(unlabelled, "U")
        self.network.train()
        self.flat.collect_in(self._row)
        value = self.unlabelled_loss(images, target)
        (self.config.unlabelled_weight * value).backward()  # type: ignore[no-untyped-call]
        return {f"loss/{UNLABELLED}": float(value.detach())}

    def after_mixing(self) -> None:
        """Add the gradient of the loss on U, if it is not mixed."""
        if self.config.unlabelled_term == "added":
            self.flat.gradient.add_(self.flat.gradients[self._row])


def ramped(progress: float, share: float) -> float:
    """A weight that grows linearly from 0 to 1 over a share of the training; 1 if it is 0."""
    return min(progress / share, 1.0) if share else 1.0
