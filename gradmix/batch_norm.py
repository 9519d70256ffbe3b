"""Control over which passes update the running statistics of batch norm."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


def batch_norms(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """The network's batch norm layers."""
    kind = nn.modules.batchnorm._BatchNorm
    return [module for module in network.modules() if isinstance(module, kind)]


@contextmanager
def batch_statistics(network: nn.Module, *, updated: bool) -> Iterator[None]:
    """Set whether batch norm updates its running statistics within the context."""
    norms = batch_norms(network)
    tracked = [norm.track_running_stats for norm in norms]
    if not updated:
        for norm in norms:
            norm.track_running_stats = False
    try:
        yield
    finally:
        for norm, before in zip(norms, tracked, strict=True):
            norm.track_running_stats = before
