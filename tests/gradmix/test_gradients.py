"""Flat parameters and gradient rows against plain autograd."""

import copy

import pytest
import torch

from gradmix.gradients import FlatParameters, gram_of, weighted_sum
from gradmix.losses import loss
from gradmix.networks import Network
from gradmix.sampling import Batch
from gradmix.solving.solvers import Solution


def autograd(network: Network, batch: Batch) -> dict[str, torch.Tensor]:
    """Gradients of a batch in a plain network; zero for heads it does not use."""
    parameters = dict(network.named_parameters())
    value = loss(network(batch.images, batch.head), batch.labels)
    found = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
    return {
        name: torch.zeros_like(parameter) if grad is None else grad
        for (name, parameter), grad in zip(parameters.items(), found, strict=True)
    }


def collect(flat: FlatParameters, network: Network, batch: Batch, row: int) -> None:
    flat.collect_in(row)
    loss(network(batch.images, batch.head), batch.labels).backward()


@pytest.fixture
def collected(toy):
    """A flat network with rows for two sources and V, and the same gradients by autograd."""
    network, sources_and_target = toy.network(), toy.batches(torch.float64)
    network.double()
    plain = copy.deepcopy(network)
    flat = FlatParameters(network, 3)
    batches = [*sources_and_target[0], sources_and_target[1]]
    for row, batch in enumerate(batches):
        collect(flat, network, batch, row)
    return flat, network, [autograd(plain, batch) for batch in batches]


def test_rows_hold_the_gradients_of_their_own_pass(collected) -> None:
    flat, network, expected = collected
    for row, grads in enumerate(expected):
        flat.collect_in(row)
        for name, parameter in network.named_parameters():
            torch.testing.assert_close(parameter.grad, grads[name], rtol=1e-9, atol=1e-12)


def test_passes_add_up_in_a_row_until_zeroed(collected, toy) -> None:
    flat, network, _ = collected
    before = flat.gradients.clone()
    collect(flat, network, toy.batches(torch.float64)[0][0], 0)
    torch.testing.assert_close(flat.gradients[0], 2 * before[0])
    assert torch.equal(flat.gradients[1:], before[1:])
    flat.zero()
    assert not flat.gradients.any()


def test_gram_matrices_are_those_of_each_layer(collected) -> None:
    flat, _, expected = collected
    grams = dict(zip(flat.layer_names, flat.grams(), strict=True))
    assert list(grams) == [
        "features.0", "features.4", "features.8", "features.12", "hidden",
    ]  # fmt: skip
    # The batch norm of features.1 belongs to the layer of features.0.
    names = ("trunk.features.0.weight", "trunk.features.1.weight", "trunk.features.1.bias")
    rows = torch.stack([torch.cat([grads[n].flatten() for n in names]) for grads in expected])
    torch.testing.assert_close(torch.tensor(grams["features.0"]), rows @ rows.T, check_dtype=False)


def test_mixing_weighs_every_layer_alone_and_sums_the_heads(collected) -> None:
    flat, network, expected = collected
    layers = len(flat.layer_names)
    weights = [(i / 10, 1 - i / 10) for i in range(layers)]
    flat.set_mixed([Solution(w, 0.0, "cone") for w in weights], head_rows=2)
    mixed = flat.gradient.clone()
    flat.gradients[0].copy_(mixed)
    flat.collect_in(0)
    near, far, v = expected
    for i, layer in enumerate(flat.layer_names):
        name, (a, b) = f"trunk.{layer}.weight", weights[i]
        got = network.get_parameter(name).grad
        torch.testing.assert_close(got, a * near[name] + b * far[name])
    head = "heads.target.weight"
    torch.testing.assert_close(network.get_parameter(head).grad, near[head] + far[head])
    assert not torch.allclose(near[head] + far[head], near[head] + far[head] + v[head])


def test_head_rows_decide_whether_v_reaches_the_head(collected) -> None:
    flat, _, _ = collected
    solutions = [Solution((0.5, 0.5), 0.0, "cone")] * len(flat.layer_names)
    heads = torch.stack([row[flat.heads] for row in flat.gradients])
    flat.set_mixed(solutions, head_rows=3)
    torch.testing.assert_close(flat.gradient[flat.heads], heads.sum(0))
    flat.set_mixed(solutions, head_rows=2)
    torch.testing.assert_close(flat.gradient[flat.heads], heads[:2].sum(0))


def test_the_sum_is_scaled_and_made_anew_each_time(collected) -> None:
    flat, _, _ = collected
    flat.gradient.fill_(7.0)
    for _ in range(2):
        flat.set_sum(0.5)
        torch.testing.assert_close(flat.gradient, 0.5 * flat.gradients.sum(0))


def test_heads_lie_behind_the_layers_and_cover_both_heads(toy) -> None:
    network = toy.network()
    flat = FlatParameters(network, 1)
    sizes = {name: p.numel() for name, p in network.named_parameters()}
    in_heads = sum(size for name, size in sizes.items() if name.startswith("heads."))
    assert flat.heads == slice(sum(sizes.values()) - in_heads, sum(sizes.values()))
    flat.vector[flat.heads] = 7.0
    changed = {name for name, p in network.named_parameters() if (p == 7.0).all()}
    assert changed == {name for name in sizes if name.startswith("heads.")}


def test_adopting_a_network_leaves_its_weights_and_outputs(toy) -> None:
    network, batch = toy.network(), toy.batches()[0][0]
    plain = copy.deepcopy(network)
    FlatParameters(network, 2)
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, plain.get_parameter(name))
    network.eval(), plain.eval()
    torch.testing.assert_close(
        network(batch.images, batch.head), plain(batch.images, batch.head), rtol=1e-5, atol=1e-6
    )


def test_parameters_stay_views_of_the_vector_after_loading_a_state(toy) -> None:
    network, other = toy.network(seed=0), toy.network(seed=1)
    flat = FlatParameters(network, 1)
    network.load_state_dict(other.state_dict())
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, other.get_parameter(name))
    flat.vector.mul_(2.0)
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, 2.0 * other.get_parameter(name))


def test_a_flat_networks_state_loads_into_a_fresh_one(toy) -> None:
    network = toy.network(seed=0)
    FlatParameters(network, 1).vector.add_(0.25)
    fresh = toy.network(seed=1)
    fresh.load_state_dict(network.state_dict())
    for name, parameter in fresh.named_parameters():
        assert torch.equal(parameter, network.get_parameter(name))


def test_convolution_weights_are_channels_last_in_memory(toy) -> None:
    network = toy.network()
    FlatParameters(network, 1)
    weight = network.get_parameter("trunk.features.4.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_dot_products_and_mixtures_are_summed_in_single_precision_at_least(dtype) -> None:
    rows = torch.ones(2, 4096, dtype=dtype) * torch.tensor([[1.0], [3.0]], dtype=dtype)
    # Sums of ones in half precision stop at 256 and 2,048, short of 4,096 and 12,288.
    assert gram_of(rows).tolist() == [[4096.0, 12288.0], [12288.0, 36864.0]]
    out = torch.empty(4096, dtype=dtype)
    weighted_sum(rows, torch.tensor([0.25, 0.75], dtype=gram_of(rows).dtype), out)
    assert (out == 2.5).all()
