"""Batch normalisation: which passes update its running statistics."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


def batch_norms(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """The network's batch normalisation layers."""
    kind = nn.modules.batchnorm._BatchNorm
    return [module for module in network.modules() if isinstance(module, kind)]


@contextmanager
def batch_statistics(network: nn.Module, *, updated: bool) -> Iterator[None]:
    """Within the context, batch normalisation updates its running statistics or not."""
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
