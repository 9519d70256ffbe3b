"""Discriminators between a source's features and the target's, and their losses."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from gradmix.declarations.choices import Adversary
from gradmix.grouping import HEADS
from gradmix.networks import drawn_linear
from gradmix.problem import TARGET_HEAD

WIDTH = 64
"""Hidden units of a discriminator; our choice, as the authors' take convolutional maps."""


def adversary_of(source: str) -> str:
    """Name under `heads` of the discriminator between this source and the target."""
    return f"adversary_{source}"


def add_discriminators(network: nn.Module, sources: Sequence[str]) -> None:
    """Add one discriminator per source under the network's `heads`, outside the trunk.

    Each maps features [B, F] to a score [B, 1]: linear, ReLU, linear. Weights have torch's default
    initialisation, drawn on the CPU from torch's seed but not from its global generator.
    """
    heads = cast("nn.ModuleDict", network.get_submodule(HEADS))
    reference = heads[TARGET_HEAD].get_parameter("weight")
    generator = torch.Generator().manual_seed(torch.initial_seed())
    for source in sources:
        first = drawn_linear(reference.shape[1], WIDTH, generator)
        last = drawn_linear(WIDTH, 1, generator)
        heads[adversary_of(source)] = nn.Sequential(first, nn.ReLU(), last).to(reference)


def discrimination_loss(of_source: Tensor, of_target: Tensor, adversary: Adversary) -> Tensor:
    """Loss L_D of a discriminator, from its scores [B, 1] for source and target.

    Args:
        of_source: scores for the source; logits of "source" if the adversary is `log`.
        of_target: scores for the target.
        adversary: `log` for the cross entropy with source = 1, or `least_squares` for the squared
            distance to 0 for the source and 1 for the target.
    """
    if adversary == "log":
        return functional.softplus(-of_source).mean() + functional.softplus(of_target).mean()
    return of_source.square().mean() + (of_target - 1.0).square().mean()


def confusion_loss(of_source: Tensor, of_target: Tensor, adversary: Adversary) -> Tensor:
    """Loss L_cf of the features: the distance of the scores from 1/2, an even chance.

    `log` uses the cross entropy with 1/2, `least_squares` half the squared distance. The means for
    source and target are added.
    """
    if adversary == "log":
        return _from_even(of_source) + _from_even(of_target)
    return 0.5 * ((of_source - 0.5).square().mean() + (of_target - 0.5).square().mean())


def untrained(module: nn.Module, x: Tensor) -> Tensor:
    """The module's output, with gradients flowing to `x` but not to the parameters."""
    frozen = {name: parameter.detach() for name, parameter in module.named_parameters()}
    output: Tensor = functional_call(module, frozen, (x,))
    return output


def _from_even(logits: Tensor) -> Tensor:
    """Mean cross entropy of the predicted probabilities with 1/2."""
    even = torch.full_like(logits, 0.5)
    return functional.binary_cross_entropy_with_logits(logits, even)
