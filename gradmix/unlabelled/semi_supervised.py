"""Base classes of semi-supervised losses on U, in GradMix (§3.6) and in joint training."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gradmix.batch_norm import batch_statistics
from gradmix.declarations.choices import Direction, Grouping
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.declarations.unlabelled import JointSemiSupervisedConfig, SemiSupervisedConfig
from gradmix.method import Method
from gradmix.networks import Network
from gradmix.sampling import Batch
from gradmix.steering import Steered

PSEUDO_LABELLED = "S_u"
UNLABELLED = "U"

SMALLEST_FREQUENCY = 1e-6
"""Added to class frequencies before division."""


class OnUnlabelled(Method):
    """A method that draws random numbers for images of U.

    They come from the method's own CPU generator, so they are the same on every device and a
    resumed training draws the same ones.
    """

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
        # Reuses the caller's torch seed without drawing from the global generator.
        self.generator = torch.Generator().manual_seed(torch.initial_seed())

    def logits(self, images: Tensor, head: str, *, update_statistics: bool = False) -> Tensor:
        """Logits in training mode; running statistics are updated only on request."""
        with batch_statistics(self.network, updated=update_statistics):
            found: Tensor = self.network(images, head)
        return found

    def state_dict(self) -> dict[str, Any]:
        """The base class's state and the generator's."""
        return {**super().state_dict(), "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state from `state_dict`, so that training resumes exactly."""
        super().load_state_dict(state)
        self.generator.set_state(state["generator"])


class SemiSupervised(Steered, OnUnlabelled):
    """GradMix with a loss on U; variants define `unlabelled_loss`."""

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
        """Loss on images [B, C, H, W] of U, in training mode; `target` is V's mini-batch."""
        raise NotImplementedError

    def backward_unlabelled(self, target: Batch, unlabelled: Tensor | None) -> dict[str, float]:
        """Add the weighted gradient of the loss on U to its row, and return the loss."""
        images = self.required(unlabelled, "U")
        self.network.train()
        self.flat.collect_in(self._row)
        value = self.unlabelled_loss(images, target)
        (self.config.unlabelled_weight * value).backward()  # type: ignore[no-untyped-call]
        return {f"loss/{UNLABELLED}": self.figure(value)}

    def after_mixing(self) -> None:
        """Add the gradient of the loss on U if it is not mixed."""
        if self.config.unlabelled_term == "added":
            self.flat.gradient.add_(self.flat.gradients[self._row])


class JointSemiSupervised(OnUnlabelled):
    """Joint training on sources and V with a loss on U; variants define `unlabelled_loss`.

    The control for `SemiSupervised`: the same loss on U without mixing.
    """

    config: JointSemiSupervisedConfig

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step along the sum of the gradients of all sources, V and U."""
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
        """Loss on images [B, C, H, W] of U, in training mode; `target` is V's mini-batch."""
        raise NotImplementedError


def aligned(probabilities: Tensor, wanted: Tensor, found: Tensor) -> Tensor:
    """Distribution alignment: p wanted / found, normalised.

    Args:
        probabilities: [B, C].
        wanted: class frequencies [C] to align to.
        found: class frequencies [C] of past predictions.
    """
    ratio = (wanted + SMALLEST_FREQUENCY) / (found + SMALLEST_FREQUENCY)
    scaled = probabilities * ratio
    return scaled / scaled.sum(1, keepdim=True)


def ramped(progress: float, share: float) -> float:
    """Linear ramp from 0 to 1 over a fraction `share` of the training; 1 if `share` is 0."""
    return min(progress / share, 1.0) if share else 1.0
