"""MME: a cosine head that raises the entropy on U, a trunk that lowers it."""

import pytest
import torch
from torch import nn

from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.methods.mme import TEMPERATURE, CosineHead
from gradmix.problem import TARGET_HEAD

STILL = OptimiserConfig(learning_rate=1e-3, momentum=0.0)


def entropy(logits: torch.Tensor) -> torch.Tensor:
    p = logits.softmax(1)
    return -(p * p.log()).sum(1).mean()


def entropy_at(method, vector: torch.Tensor, images: torch.Tensor) -> float:
    """H on U in training mode, at other parameters."""
    before = method.flat.vector.clone()
    method.flat.vector.copy_(vector)
    method.network.train()
    with torch.no_grad():
        value = float(entropy(method.network(images, TARGET_HEAD)))
    method.flat.vector.copy_(before)
    return value


def test_the_cosine_head_equals_its_formula(toy) -> None:
    head = CosineHead(torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, -2.0]]))
    features = torch.tensor([[3.0, 4.0], [0.0, 0.5]])
    expected = torch.tensor([[0.6, 1.0, -1.6], [0.0, 0.8, -2.0]]) / 0.05
    torch.testing.assert_close(head(features), expected)
    torch.testing.assert_close(head(7.0 * features), expected)
    assert TEMPERATURE == 0.05


def test_the_cosine_head_averages_a_map_before_it_takes_the_direction() -> None:
    head = CosineHead(torch.tensor([[1.0, 0.0], [0.6, 0.8]]))
    # The mean over space is (3, 4).
    found = torch.tensor([[[[2.0, 4.0]], [[8.0, 0.0]]]])
    torch.testing.assert_close(head(found), torch.tensor([[0.6, 1.0]]) / 0.05)


def test_the_targets_head_becomes_a_cosine_head_with_the_weights_it_had(toy) -> None:
    plain, method = toy.network(), toy.method("mme")
    head = method.network.heads[TARGET_HEAD]
    assert isinstance(head, CosineHead)
    assert {name for name, _ in head.named_parameters()} == {"weight"}
    assert torch.equal(head.weight, plain.heads[TARGET_HEAD].weight)
    assert isinstance(method.network.heads["far"], nn.Linear)


def test_the_head_raises_the_entropy_on_u_and_the_trunk_lowers_it(toy) -> None:
    method, images = toy.method("mme", optimiser=STILL), toy.unlabelled().next()
    before, trunk = method.flat.vector.clone(), slice(0, method.flat.heads.start)
    start = entropy_at(method, before, images)
    assert method.step_on_entropy(images) == pytest.approx(start, rel=1e-5)
    only_head, only_trunk = before.clone(), before.clone()
    only_head[method.flat.heads] = method.flat.vector[method.flat.heads]
    only_trunk[trunk] = method.flat.vector[trunk]
    assert entropy_at(method, only_head, images) > start
    assert entropy_at(method, only_trunk, images) < start


def test_the_step_on_u_follows_the_gradient_of_the_weighted_entropy(toy) -> None:
    method = toy.method("mme", optimiser=STILL, entropy_weight=0.3, rate_factor=0.5)
    images, network = toy.unlabelled().next(), toy.network()
    method.adapt(network, ["near"])
    names = [name for name, _ in network.named_parameters()]
    gradients = torch.autograd.grad(
        entropy(network(images, TARGET_HEAD)), list(network.parameters()), allow_unused=True
    )
    before = {name: value.clone() for name, value in method.network.named_parameters()}
    method.step_on_entropy(images)
    for name, gradient in zip(names, gradients, strict=True):
        sign = 1.0 if name.startswith("heads.") else -1.0
        moved = 0.0 if gradient is None else sign * 0.5 * 1e-3 * 0.3 * gradient
        found = method.network.get_parameter(name)
        torch.testing.assert_close(found, before[name] + moved, rtol=1e-4, atol=1e-7)


def test_a_zero_weight_leaves_plain_cross_entropy(toy) -> None:
    """Without the second step's momentum, this is the joint baseline with a cosine head."""
    method = toy.method("mme", optimiser=STILL, entropy_weight=0.0, rate_factor=1.0)
    network = toy.network()
    method.adapt(network, ["near"])
    joint = toy.method("joint", network=network, sources=("near",), optimiser=STILL)
    (near, _), target = toy.batches()
    for _ in range(3):
        found = method.update([near], target, toy.unlabelled().next())
        expected = joint.update([near], target)
        assert {name: found[name] for name in expected} == expected
    assert torch.equal(method.flat.vector, joint.flat.vector)


def test_the_factor_is_the_learning_rates(toy) -> None:
    factor = toy.method("mme", rate_factor=0.5)
    rate = toy.method("mme", rate_factor=1.0, optimiser=OptimiserConfig(learning_rate=0.025))
    for _ in range(3):
        for method in (factor, rate):
            sources, target = toy.batches()
            method.update(sources[:1], target, toy.unlabelled().next())
    torch.testing.assert_close(factor.flat.vector, rate.flat.vector)


def test_both_steps_share_the_momentum(toy) -> None:
    method = toy.method("mme", entropy_weight=0.0)
    (near, _), target = toy.batches()
    before = method.flat.vector.clone()
    method.update([near], target, toy.unlabelled().next())
    moved = method.flat.vector - before
    # One step along the velocity, and one along 0.9 times it, at a fifth of the learning rate.
    velocity = method.state_dict()["optimiser"]["memory"][0]
    torch.testing.assert_close(moved, -0.01 * 1.9 * velocity / 0.9, rtol=1e-4, atol=1e-6)


def test_only_the_source_with_the_targets_classes_is_read(toy) -> None:
    method = toy.method("mme")
    assert method.sources == ("near",)
    assert method.declaration.reads_source(TARGET_HEAD)
    assert not method.declaration.reads_source("far")
    (near, _), target = toy.batches()
    far = [value.clone() for value in method.network.heads["far"].parameters()]
    figures = method.update([near], target, toy.unlabelled().next())
    assert set(figures) == {"loss/near", "loss/V", "entropy/U"}
    for before, after in zip(far, method.network.heads["far"].parameters(), strict=True):
        assert torch.equal(before, after)


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ({"entropy_weight": -0.1}, r"entropy_weight must not be negative, found -0\.1"),
        ({"rate_factor": 0.0}, r"rate_factor must be positive, found 0\.0"),
    ],
)
def test_an_impossible_setting_is_refused(toy, setting, found) -> None:
    with pytest.raises(ValueError, match=found):
        toy.method("mme", **setting)
