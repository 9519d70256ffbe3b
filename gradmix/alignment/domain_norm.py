"""Domain alignment layers: batch norm with separate statistics per domain."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm


class DomainNorm(_BatchNorm):
    """Batch norm with the statistics of the current domain, followed by a shared affine map.

    With one domain it is plain batch norm. `running_mean` and `running_var` are [D, C].

    Args:
        channels: number of channels C.
        domains: names of the domains; the first is current until `in_domain` selects another.
        last: whether the channels are on the last axis, as after a linear layer, or the second.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, domains: Sequence[str], *, last: bool = False) -> None:
        super().__init__(channels)
        self.last = last
        self.domains = tuple(domains)
        self.domain = self.domains[0]
        self.register_buffer("running_mean", torch.zeros(len(self.domains), channels))
        self.register_buffer("running_var", torch.ones(len(self.domains), channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [B, C, ...] by the batch in training, by running statistics in eval mode."""
        if self.last:
            return self._normalised(x.movedim(-1, 1)).movedim(1, -1)
        return self._normalised(x)

    def _normalised(self, x: Tensor) -> Tensor:
        row = self.domains.index(self.domain)
        tracked = self.track_running_stats or not self.training
        return functional.batch_norm(
            x,
            self.running_mean[row] if tracked else None,
            self.running_var[row] if tracked else None,
            self.weight,
            self.bias,
            self.training,
            self.momentum or 0.0,
            self.eps,
        )


@contextmanager
def in_domain(network: nn.Module, domain: str) -> Iterator[None]:
    """Make the network's domain norms use this domain's statistics within the context.

    Raises:
        ValueError: on the first pass, if a norm does not have the domain.
    """
    norms = [module for module in network.modules() if isinstance(module, DomainNorm)]
    before = [norm.domain for norm in norms]
    for norm in norms:
        norm.domain = domain
    try:
        yield
    finally:
        for norm, domain_before in zip(norms, before, strict=True):
            norm.domain = domain_before


def add_domain_norms(network: nn.Module, domains: Sequence[str]) -> None:
    """Add domain norms to a network, in place.

    Each BatchNorm2d is replaced by one that starts from its parameters and statistics in all
    domains. In a network without any, a norm is added after every convolution. One is also added
    after every linear layer, including the class scores.

    Args:
        network: any module; new modules are on the device of those they replace or follow.
        domains: names of the domains; prediction uses the first.
    """
    modules = list(network.named_modules())
    normalised = any(isinstance(module, nn.BatchNorm2d) for _, module in modules)
    for name, module in modules:
        if isinstance(module, nn.BatchNorm2d):
            network.set_submodule(name, _in_place_of(module, domains))
        elif isinstance(module, nn.Conv2d) and not normalised:
            norm = DomainNorm(module.out_channels, domains).to(module.weight)
            network.set_submodule(name, nn.Sequential(module, norm))
        elif isinstance(module, nn.Linear):
            norm = DomainNorm(module.out_features, domains, last=True).to(module.weight)
            network.set_submodule(name, nn.Sequential(module, norm))


def _in_place_of(norm: nn.BatchNorm2d, domains: Sequence[str]) -> DomainNorm:
    """A domain norm that normalises like the given batch norm in every domain."""
    made = DomainNorm(norm.num_features, domains).to(norm.weight)
    made.momentum, made.eps = norm.momentum, norm.eps
    with torch.no_grad():
        made.weight.copy_(norm.weight)
        made.bias.copy_(norm.bias)
        if norm.running_mean is not None and norm.running_var is not None:
            made.running_mean.copy_(norm.running_mean)
            made.running_var.copy_(norm.running_var)
    return made
