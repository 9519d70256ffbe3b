"""Losses on U, as semi-supervised learning defines them, and how GradMix takes them in (§3.6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from gradmix.batch_norm import batch_statistics
from gradmix.grouping import Grouping
from gradmix.losses import Direction
from gradmix.method import Method, TargetConfig
from gradmix.networks import Network
from gradmix.optimiser import OptimiserConfig
from gradmix.sampling import Batch
from gradmix.steering import Steered, SteeringConfig

UnlabelledTerm = Literal["mixed", "added"]

PSEUDO_LABELLED = "S_u"
UNLABELLED = "U"

SMALLEST_FREQUENCY = 1e-6
"""Added to class frequencies before one is divided by another."""


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
        refuse_negative_weight(self.unlabelled_weight)
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
        return {f"loss/{UNLABELLED}": self.figure(value)}

    def after_mixing(self) -> None:
        """Add the gradient of the loss on U, if it is not mixed."""
        if self.config.unlabelled_term == "added":
            self.flat.gradient.add_(self.flat.gradients[self._row])


@dataclass(frozen=True, kw_only=True)
class JointSemiSupervisedConfig(TargetConfig):
    """Setting of joint training with a loss on U besides that of every method that reads V.

    Attributes:
        unlabelled_weight: of the loss on U.

    Raises:
        ValueError: if the weight is negative.
    """

    unlabelled_weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a negative weight."""
        refuse_negative_weight(self.unlabelled_weight)


class JointSemiSupervised(OnUnlabelled):
    """Joint training on sources and V with a loss on U; a variant says what `unlabelled_loss` is.

    The control of `SemiSupervised`: the same loss on U, and nothing is mixed.
    """

    config: JointSemiSupervisedConfig

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """One step along the sum of the gradients of every source, of V and of U."""
        labelled, images = self.required(target, "V"), self.required(unlabelled, "U")
        self.flat.zero()
        losses = {
            f"loss/{name}": self.backward(batch, 0)
            for name, batch in zip(self.sources, sources, strict=True)
        }
        losses["loss/V"] = self.backward_v(labelled, 0)
        value = self.unlabelled_loss(images, labelled)
        (self.config.unlabelled_weight * value).backward()  # type: ignore[no-untyped-call]
        self.flat.set_sum()
        self.step()
        return {**losses, f"loss/{UNLABELLED}": self.figure(value)}

    def unlabelled_loss(self, images: Tensor, target: Batch) -> Tensor:
        """The loss on images [B, C, H, W] of U, in training mode; `target` is V's mini-batch."""
        raise NotImplementedError


def refuse_negative_weight(weight: float) -> None:
    """Refuse a weight of the loss on U that would raise it.

    Raises:
        ValueError: if it is negative or not a number.
    """
    if not weight >= 0:
        raise ValueError(f"unlabelled_weight must not be negative, found {weight}.")


def refuse_momentum(momentum: float) -> None:
    """Refuse a momentum of running averages that would never take anything in, or oscillate.

    Raises:
        ValueError: if it is not in [0, 1).
    """
    if not 0 <= momentum < 1:
        raise ValueError(f"ema_momentum must be in [0, 1), found {momentum}.")


def aligned(probabilities: Tensor, wanted: Tensor, found: Tensor) -> Tensor:
    """Predictions whose classes are as frequent as wanted: p wanted / found, with sum one again.

    Args:
        probabilities: [B, C].
        wanted: class frequencies [C] to align to.
        found: class frequencies [C] that predictions have had.
    """
    ratio = (wanted + SMALLEST_FREQUENCY) / (found + SMALLEST_FREQUENCY)
    scaled = probabilities * ratio
    return scaled / scaled.sum(1, keepdim=True)


def ramped(progress: float, share: float) -> float:
    """A weight that grows linearly from 0 to 1 over a share of the training; 1 if it is 0."""
    return min(progress / share, 1.0) if share else 1.0
