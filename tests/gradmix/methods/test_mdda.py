"""MDDA: statistics per domain, cross entropy where there are labels, low entropy on U."""

import copy

import pytest
import torch
from torch.nn import functional

from gradmix.alignment.domain_norm import DomainNorm, in_domain
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.normalisation import standardise
from gradmix.problem import TARGET_HEAD

STILL = OptimiserConfig(learning_rate=1e-3, momentum=0.0)


def entropy(logits: torch.Tensor) -> torch.Tensor:
    p = logits.softmax(1)
    return -(p * p.log()).sum(1).mean()


def norms(method) -> list[DomainNorm]:
    return [module for module in method.network.modules() if isinstance(module, DomainNorm)]


def one_update(toy, method) -> dict[str, float]:
    sources, target = toy.batches()
    return method.update(sources, target, toy.unlabelled().next())


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_the_step_follows_the_sum_of_the_four_losses_each_in_its_domain(toy, norm) -> None:
    method = toy.method("mdda", toy.network(norm=norm), optimiser=STILL, entropy_weight=0.3)
    network = toy.network(norm=norm)
    method.adapt(network, ["near", "far"])
    (near, far), v = toy.batches()
    u = toy.unlabelled().next()

    with in_domain(network, "near"):
        of_near = functional.cross_entropy(network(near.images, near.head), near.labels)
    with in_domain(network, "far"):
        of_far = functional.cross_entropy(network(far.images, far.head), far.labels)
    logits = network(torch.cat([v.images, u]), TARGET_HEAD)
    of_v = functional.cross_entropy(logits[: len(v.images)], v.labels)
    of_u = entropy(logits[len(v.images) :])
    (of_near + of_far + of_v + 0.3 * of_u).backward()

    figures = one_update(toy, method)
    assert figures == pytest.approx(
        {
            "loss/near": float(of_near.detach()),
            "loss/far": float(of_far.detach()),
            "loss/V": float(of_v.detach()),
            "entropy/U": float(of_u.detach()),
        },
        rel=1e-4,
    )
    for name, parameter in network.named_parameters():
        expected = parameter.detach() - 1e-3 * parameter.grad
        found = method.network.get_parameter(name)
        torch.testing.assert_close(found.detach(), expected, rtol=1e-4, atol=1e-6)
    for name, buffer in network.named_buffers():
        torch.testing.assert_close(method.network.get_buffer(name), buffer)


def test_the_weight_lowers_the_entropy_on_u(toy) -> None:
    u, after = toy.unlabelled().next(), {}
    for weight in (0.0, 1.0):
        method = toy.method("mdda", optimiser=STILL, entropy_weight=weight)
        figures = one_update(toy, method)
        method.network.train()
        images = torch.cat([toy.batches()[1].images, u])
        with torch.no_grad():
            logits = method.network(images, TARGET_HEAD)[-len(u) :]
        after[weight] = float(entropy(logits))
    assert after[1.0] < after[0.0]
    assert after[1.0] < figures["entropy/U"]


def test_every_data_set_moves_the_statistics_of_its_own_domain_only(toy) -> None:
    method = toy.method("mdda")
    (near, _), _ = toy.batches()
    with in_domain(method.network, "near"):
        method.backward(near, 0)
    first = norms(method)[0]
    assert first.domains == ("target", "near", "far")
    assert [bool(row.any()) for row in first.running_mean] == [False, True, False]
    target, u = toy.batches()[1], toy.unlabelled().next()
    before = first.running_mean.clone()
    method.backward_target(target, u)
    assert not torch.equal(first.running_mean[0], before[0])
    assert torch.equal(first.running_mean[1:], before[1:])


def test_without_v_the_targets_statistics_are_those_of_u(toy) -> None:
    method = toy.method("mdda", v_updates_statistics=False)
    (sources, target), images = toy.batches(), toy.unlabelled().next()
    plain = copy.deepcopy(method.network).train()
    plain(images, "target")
    method.update(sources, target, images)
    for module, expected in zip(method.network.modules(), plain.modules(), strict=True):
        if isinstance(module, DomainNorm):
            torch.testing.assert_close(module.running_mean[0], expected.running_mean[0])
            torch.testing.assert_close(module.running_var[0], expected.running_var[0])


def test_v_and_u_are_normalised_together(toy) -> None:
    method = toy.method("mdda")
    one_update(toy, method)
    images = torch.cat([toy.batches()[1].images, toy.unlabelled().next()])
    fresh = toy.network()
    expected = fresh.trunk.features[0](images).mean((0, 2, 3))
    first = norms(method)[0]
    torch.testing.assert_close(first.running_mean[0], 0.1 * expected.detach())


def test_prediction_uses_the_targets_statistics(toy) -> None:
    method = toy.method("mdda")
    for _ in range(3):
        one_update(toy, method)
    images = toy.hyper_validation().images
    found = method.predict(images)
    assert {norm.domain for norm in norms(method)} == {TARGET_HEAD}
    with torch.no_grad(), in_domain(method.network, TARGET_HEAD):
        torch.testing.assert_close(found, method.network(standardise(images), TARGET_HEAD))
    for norm in norms(method):
        norm.running_mean[1:], norm.running_var[1:] = 100.0, 100.0
    assert torch.equal(method.predict(images), found)


def test_a_fresh_network_predicts_with_the_trained_state_once_adapted(toy) -> None:
    method = toy.method("mdda")
    for _ in range(3):
        one_update(toy, method)
    fresh = toy.method("mdda", network=toy.network(seed=7))
    fresh.network.load_state_dict(method.state_dict()["network"])
    images = toy.hyper_validation().images
    assert torch.equal(fresh.predict(images), method.predict(images))


def test_a_negative_weight_is_refused(toy) -> None:
    with pytest.raises(ValueError, match=r"entropy_weight must not be negative, found -1\.0"):
        toy.method("mdda", entropy_weight=-1.0)
