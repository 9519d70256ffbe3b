"""GradMix with virtual adversarial training on U (§3.6): predictions that bear the worst nudge."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gradmix.sampling import Batch
from gradmix.unlabelled.semi_supervised import SemiSupervised, SemiSupervisedConfig


@dataclass(frozen=True, kw_only=True)
class GradMixVATConfig(SemiSupervisedConfig):
    """Settings of virtual adversarial training.

    Epsilon's number is the authors' for SVHN, but its unit is not: here each image is standardised,
    so that one of 32 x 32 pixels has length 32. It is to be searched rather than trusted.

    Attributes:
        epsilon: L2 length of the nudge, in units of the standardised image.
        xi: length at which the divergence's gradient is taken. The authors' 1e-6 is lost in
            single precision on inputs of unit scale.
        power_steps: of the search for the worst direction.

    Raises:
        ValueError: if a length is not positive or there is no step.
    """

    epsilon: float = 2.5
    xi: float = 1e-2
    power_steps: int = 1

    def __post_init__(self) -> None:
        """Refuse lengths that are none, and no step."""
        super().__post_init__()
        for field, length in (("epsilon", self.epsilon), ("xi", self.xi)):
            if not length > 0:
                raise ValueError(f"{field} must be positive, found {length}.")
        if self.power_steps < 1:
            raise ValueError(f"power_steps must be at least 1, found {self.power_steps}.")


class GradMixVAT(SemiSupervised):
    """The loss on U is the divergence of predictions under the worst small nudge of the images.

    Running statistics of batch norm are left alone: nudged images are none that are predicted.
    """

    name = "gradmix_vat"
    version = 2
    config: GradMixVATConfig

    def unlabelled_loss(self, images: Tensor, target: Batch) -> Tensor:
        """KL(p(x), p(x + r)) of the target's head, r the worst nudge of length epsilon."""
        with torch.no_grad():
            clean = self.logits(images, target.head)

        def diverged(nudge: Tensor) -> Tensor:
            return divergence(clean, self.logits(images + nudge, target.head))

        start = torch.randn(images.shape, generator=self.generator).to(images)
        worst = adversarial_direction(diverged, start, self.config.power_steps, self.config.xi)
        return diverged(self.config.epsilon * worst)


def normalise(directions: Tensor) -> Tensor:
    """Each sample of [B, ...] at L2 length 1; one that is all zero stays so.

    The largest entry is brought to 1 first, or squares of small gradients would vanish.
    """
    rows = directions.flatten(1)
    tiny = torch.finfo(rows.dtype).tiny
    rows = rows / rows.abs().amax(1, keepdim=True).clamp_min(tiny)
    lengths: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return (rows / lengths.clamp_min(tiny)).view_as(directions)


def divergence(logits: Tensor, nudged: Tensor) -> Tensor:
    """Mean of KL(p, q) in nats, p and q being the predictions of two logits [B, C]."""
    log_p, log_q = functional.log_softmax(logits, dim=1), functional.log_softmax(nudged, dim=1)
    return (log_p.exp() * (log_p - log_q)).sum(1).mean()


def adversarial_direction(
    diverged: Callable[[Tensor], Tensor], start: Tensor, steps: int, xi: float
) -> Tensor:
    """Directions [B, ...] of length 1 along which a divergence grows fastest, by power iteration.

    At a nudge of zero the divergence and its gradient are zero; the gradient at xi d is then the
    Hessian times d, up to a factor. No gradient but that of the nudge is touched.

    Args:
        diverged: the divergence (a scalar) for a nudge [B, ...].
        start: [B, ...], of any length.
        steps: repetitions.
        xi: length at which the gradient is taken.
    """
    direction = normalise(start)
    for _ in range(steps):
        nudge = (xi * direction).requires_grad_()
        (gradient,) = torch.autograd.grad(diverged(nudge), nudge)
        direction = normalise(gradient)
    return direction
