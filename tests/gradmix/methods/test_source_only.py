"""Source only is plain SGD on the sum (Eq. 1) or the mean of the source losses."""

import copy

import pytest
import torch

from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.losses import loss


def plain_sgd(network, streams, optimiser: OptimiserConfig, steps: int, scale: float):
    """The obvious training loop."""
    descent = torch.optim.SGD(
        network.parameters(), lr=optimiser.learning_rate, momentum=optimiser.momentum
    )
    network.train()
    for _ in range(steps):
        descent.zero_grad()
        batches = [stream.next() for stream in streams]
        total = sum(loss(network(b.images, b.head), b.labels) for b in batches)
        (scale * total).backward()
        descent.step()
    return network.state_dict()


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize(("combine", "scale"), [("sum", 1.0), ("mean", 0.5)])
def test_source_only_equals_a_plain_loop(toy, norm, combine, scale) -> None:
    network = toy.network(norm=norm)
    optimiser = OptimiserConfig(learning_rate=0.02, momentum=0.9)
    expected = plain_sgd(copy.deepcopy(network), toy.streams(), optimiser, 8, scale)
    method = toy.method("source_only", network=network, optimiser=optimiser, combine=combine)
    streams = toy.streams()
    for _ in range(8):
        method.update([stream.next() for stream in streams], None)
    for name, value in method.network.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)


def test_the_losses_are_named_after_the_sources(toy) -> None:
    method = toy.method("source_only")
    sources, _ = toy.batches()
    plain = copy.deepcopy(method.network).train()
    expected = {
        f"loss/{name}": loss(plain(b.images, b.head), b.labels).item()
        for name, b in zip(("near", "far"), sources, strict=True)
    }
    assert method.update(sources, None) == pytest.approx(expected, rel=1e-5)


def test_an_unknown_combination_is_refused(toy) -> None:
    with pytest.raises(ValueError, match=r"sum, mean\. Found 'median'"):
        toy.method("source_only", combine="median")
