"""Target only is plain SGD on V; the sources' heads do not change."""

import copy

import torch

from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.losses import loss


def test_target_only_equals_a_plain_loop_on_v(toy) -> None:
    network, target = toy.network(), toy.target()
    plain = copy.deepcopy(network).train()
    descent = torch.optim.SGD(plain.parameters(), lr=0.02, momentum=0.9)
    for _ in range(6):
        batch = target.next()
        descent.zero_grad()
        loss(plain(batch.images, batch.head), batch.labels).backward()
        descent.step()
    method = toy.method(
        "target_only", network=network, optimiser=OptimiserConfig(learning_rate=0.02)
    )
    for _ in range(6):
        assert set(method.update([], target.next())) == {"loss/V"}
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, plain.state_dict()[name], rtol=1e-5, atol=1e-6)


def test_target_only_learns_v_and_leaves_the_other_heads(toy) -> None:
    method, target = toy.method("target_only"), toy.target()
    far = method.network.heads["far"].weight.clone()
    for _ in range(40):
        method.update([], target.next())
    assert torch.equal(method.network.heads["far"].weight, far)
    logits = method.predict(target._images)
    assert torch.equal(logits.argmax(1), target._labels)
