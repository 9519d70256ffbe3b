"""Domain norms: batch norm per domain with one affine map."""

import pytest
import torch
from torch import nn

from gradmix.alignment.domain_norm import DomainNorm, add_domain_norms, in_domain
from gradmix.batch_norm import batch_statistics
from gradmix.networks import pooled


def filled(norm: nn.Module, seed: int = 0) -> nn.Module:
    """Give a norm a random affine map, the same for equal seeds."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in (norm.weight, norm.bias):
        parameter.data.copy_(torch.randn(parameter.shape, generator=generator))
    return norm


@pytest.mark.parametrize("shape", [(6, 3), (6, 3, 4, 4)])
def test_each_domain_equals_a_batch_norm_of_its_own_with_the_shared_affine_map(shape) -> None:
    make = nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d
    domains = ("target", "a", "b")
    ours, separate = filled(DomainNorm(3, domains)), {name: filled(make(3)) for name in domains}
    for step in range(4):
        for i, name in enumerate(domains):
            x = 3.0 * i + (i + 1.0) * torch.randn(shape) + step
            with in_domain(ours, name):
                torch.testing.assert_close(ours(x), separate[name](x))
    ours.eval()
    x = torch.randn(shape)
    for i, name in enumerate(domains):
        separate[name].eval()
        torch.testing.assert_close(ours.running_mean[i], separate[name].running_mean)
        torch.testing.assert_close(ours.running_var[i], separate[name].running_var)
        with in_domain(ours, name):
            torch.testing.assert_close(ours(x), separate[name](x))
    torch.testing.assert_close(ours(x), separate["target"](x))


def test_one_domain_equals_batch_norm_with_its_gradients() -> None:
    ours, plain = filled(DomainNorm(3, ["target"])), filled(nn.BatchNorm2d(3))
    x = torch.randn(5, 3, 2, 2)
    for norm in (ours, plain):
        norm(x).square().sum().backward()
    torch.testing.assert_close(ours(x), plain(x))
    torch.testing.assert_close(ours.weight.grad, plain.weight.grad)
    torch.testing.assert_close(ours.bias.grad, plain.bias.grad)


def test_a_pass_leaves_the_statistics_of_other_domains_alone() -> None:
    norm = DomainNorm(3, ["target", "a", "b"])
    with in_domain(norm, "a"):
        norm(5.0 + torch.randn(8, 3))
    changed = [bool(row.ne(0.0).all()) for row in norm.running_mean]
    assert changed == [False, True, False]
    assert torch.equal(norm.running_mean[[0, 2]], torch.zeros(2, 3))
    assert torch.equal(norm.running_var[[0, 2]], torch.ones(2, 3))


def test_statistics_stay_as_they_are_where_no_update_is_wanted() -> None:
    norm = DomainNorm(3, ["target"])
    x = 5.0 + torch.randn(8, 3)
    expected = norm(x)
    before = norm.running_mean.clone()
    with batch_statistics(norm, updated=False):
        torch.testing.assert_close(norm(x), expected)
        assert torch.equal(norm.running_mean, before)
        in_evaluation = norm.eval()(x)
    torch.testing.assert_close(in_evaluation, norm(x))


def test_contexts_nest_and_an_error_ends_them_too() -> None:
    norm = DomainNorm(3, ["target", "a", "b"])
    with in_domain(norm, "a"):
        with pytest.raises(ValueError, match="more than 1 value"), in_domain(norm, "b"):
            norm(torch.randn(1, 3))
        assert norm.domain == "a"
    assert norm.domain == "target"


def test_an_unknown_domain_is_refused() -> None:
    norm = DomainNorm(3, ["target", "a"])
    with in_domain(norm, "b"), pytest.raises(ValueError, match="not in"):
        norm(torch.randn(4, 3))


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_norms_stand_after_every_convolution_and_linear_layer(toy, norm) -> None:
    network = toy.network(norm=norm)
    add_domain_norms(network, ["target", "near"])
    modules = dict(network.named_modules())
    found = [m.num_features for m in modules.values() if isinstance(m, DomainNorm)]
    assert found == [4, 4, 8, 8, 16, 3, 2]
    assert not any(isinstance(m, nn.BatchNorm2d) for m in modules.values())
    leaves = [m for m in modules.values() if not list(m.children())]
    for layer, after in zip(leaves, [*leaves[1:], None], strict=True):
        assert isinstance(after, DomainNorm) == isinstance(layer, nn.Conv2d | nn.Linear)


def test_a_linear_layer_is_normalised_over_its_last_axis() -> None:
    network, x = nn.Sequential(nn.Linear(5, 3)), torch.randn(6, 4, 5)
    plain = nn.BatchNorm1d(3)
    expected = plain(network(x).flatten(0, 1)).unflatten(0, (6, 4))
    add_domain_norms(network, ["target", "near"])
    torch.testing.assert_close(network(x), expected)
    torch.testing.assert_close(network[0][1].running_mean[0], plain.running_mean)


def test_class_scores_of_a_map_are_normalised_after_its_mean(toy) -> None:
    network, x = toy.map_network(), toy.batches()[1].images
    linear = network.heads["target"]
    add_domain_norms(network, ["target", "near"])
    head, found = network.heads["target"], network.trunk(x)
    plain = nn.BatchNorm1d(3)
    torch.testing.assert_close(head(found), plain(linear(found)))
    torch.testing.assert_close(head[1].running_mean[0], plain.running_mean)
    assert not torch.allclose(head(found), linear(pooled(found)))


def learnt() -> nn.Sequential:
    """A small network as after pretraining: its norms have statistics and settings."""
    torch.manual_seed(4)
    network = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, eps=0.1, momentum=0.3), nn.Conv2d(3, 2, 3)
    )
    filled(network[1])
    for _ in range(5):
        network(3.0 + 2.0 * torch.randn(8, 2, 6, 6))
    return network


def test_norms_go_on_from_what_the_network_has_learnt_in_every_domain() -> None:
    plain, network = learnt(), learnt()
    add_domain_norms(network, ["target", "a", "b"])
    x = torch.randn(6, 2, 6, 6)
    with torch.no_grad():
        before = plain.eval()(x)
        for domain in ("target", "a", "b"):
            with in_domain(network.eval(), domain):
                torch.testing.assert_close(network(x), before)
    # From then on, each domain's statistics evolve like those of the original norm.
    with in_domain(network.train(), "a"):
        network(x)
    plain.train()(x)
    old, new = learnt()[1], network[1]
    for name in ("running_mean", "running_var"):
        rows = getattr(new, name)
        torch.testing.assert_close(rows[1], getattr(plain[1], name))
        torch.testing.assert_close(rows[[0, 2]], getattr(old, name).expand(2, -1))
    assert not torch.allclose(new.running_mean[1], old.running_mean)


def test_a_norm_without_statistics_starts_as_a_fresh_one() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False))
    add_domain_norms(network, ["target", "a"])
    assert torch.equal(network[1].running_mean, torch.zeros(2, 2))
    assert torch.equal(network[1].running_var, torch.ones(2, 2))


def test_norms_have_the_type_of_the_layers_around_them(toy) -> None:
    network = toy.network().double()
    add_domain_norms(network, ["target"])
    assert {p.dtype for p in network.parameters()} == {torch.float64}
    assert network(torch.randn(4, 1, 16, 16).double(), "target").dtype == torch.float64
