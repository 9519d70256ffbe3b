"""GradMix with virtual adversarial training on U (§3.6): predictions robust to perturbations."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from gradmix.declarations.methods.gradmix_vat import DECLARATION, GradMixVATConfig
from gradmix.sampling import Batch
from gradmix.unlabelled.semi_supervised import SemiSupervised


class GradMixVAT(SemiSupervised):
    """GradMix with a loss on U: the divergence of predictions under the worst small perturbation.

    Perturbed images do not update the running statistics of batch norm, since they never occur at
    prediction.
    """

    declaration = DECLARATION
    config: GradMixVATConfig

    def unlabelled_loss(self, images: Tensor, target: Batch) -> Tensor:
        """KL(p(x), p(x + r)) of the target's head, r the worst perturbation of norm epsilon."""
        with torch.no_grad():
            clean = self.logits(images, target.head)

        def diverged(nudge: Tensor) -> Tensor:
            return divergence(clean, self.logits(images + nudge, target.head))

        start = torch.randn(images.shape, generator=self.generator).to(images)
        worst = adversarial_direction(diverged, start, self.config.power_steps, self.config.xi)
        return diverged(self.config.epsilon * worst)


def normalise(directions: Tensor) -> Tensor:
    """Scale each sample of [B, ...] to L2 norm 1; all-zero samples stay zero.

    The largest entry is scaled to 1 first, or the squares of small gradients would underflow.
    """
    rows = directions.flatten(1)
    tiny = torch.finfo(rows.dtype).tiny
    rows = rows / rows.abs().amax(1, keepdim=True).clamp_min(tiny)
    lengths: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return (rows / lengths.clamp_min(tiny)).view_as(directions)


def divergence(logits: Tensor, nudged: Tensor) -> Tensor:
    """Mean KL(p, q) in nats, where p and q are the predictions of two logits [B, C]."""
    log_p, log_q = functional.log_softmax(logits, dim=1), functional.log_softmax(nudged, dim=1)
    return (log_p.exp() * (log_p - log_q)).sum(1).mean()


def adversarial_direction(
    diverged: Callable[[Tensor], Tensor], start: Tensor, steps: int, xi: float
) -> Tensor:
    """Unit directions [B, ...] along which a divergence grows fastest, by power iteration.

    At zero perturbation the divergence and its gradient are zero, so the gradient at xi d is the
    Hessian times d, up to a factor. Only the perturbation's gradient is computed.

    Args:
        diverged: maps a perturbation [B, ...] to the divergence, a scalar.
        start: initial directions [B, ...], of any norm.
        steps: number of iterations.
        xi: norm at which the gradient is taken.
    """
    direction = normalise(start)
    for _ in range(steps):
        nudge = (xi * direction).requires_grad_()
        (gradient,) = torch.autograd.grad(diverged(nudge), nudge)
        direction = normalise(gradient)
    return direction
