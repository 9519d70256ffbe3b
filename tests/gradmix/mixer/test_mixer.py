"""The mixer's gradients against the spelled-out equations and the pipeline's method."""

import copy
import math

import pytest
import torch
from torch import nn

from gradmix import Mixer, OptimiserConfig, Step
from gradmix.losses import loss

EXACT = {"rtol": 1e-9, "atol": 1e-12}


def written(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def assert_equal_gradients(found, expected, **tolerance) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], **(tolerance or EXACT))


def test_mix_writes_the_mixture_of_every_layer(small_net, batches, by_hand, loop) -> None:
    model, data = small_net(torch.float64), batches(0, torch.float64)
    expected = by_hand(copy.deepcopy(model), data)
    step = loop(model).mixed(data)
    assert_equal_gradients(written(model), expected)
    assert list(step.weights) == ["first", "second", "last"]
    for weights in step.weights.values():
        assert list(weights) == ["web", "sport"]
        assert sum(weights.values()) == pytest.approx(1.0)


def test_heads_get_the_sum_of_all_gradients(small_net, batches, by_hand, loop) -> None:
    model, data = small_net(torch.float64), batches(0, torch.float64)
    layers = {"first": ("first.weight", "first.bias", "norm.weight", "norm.bias")}
    expected = by_hand(copy.deepcopy(model), data, layers)
    assert list(loop(model, heads=["second", "last.*"]).mixed(data).weights) == ["first"]
    assert_equal_gradients(written(model), expected)


def test_the_target_trains_heads_and_trunk_as_asked(small_net, batches, gradients, loop) -> None:
    model, data = small_net(torch.float64), batches(0, torch.float64)
    of_target = gradients(copy.deepcopy(model), data[2])

    def mixture(**settings) -> dict[str, torch.Tensor]:
        model.zero_grad()
        loop(model, heads=["last"], **settings).mixed(data)
        return written(model)

    usual, without = mixture(), mixture(v_trains_head=False)
    with_trunk = mixture(v_trains_trunk=True)
    head, trunk = "last.weight", "second.weight"
    torch.testing.assert_close(usual[head] - without[head], of_target[head], **EXACT)
    torch.testing.assert_close(usual[trunk], without[trunk], **EXACT)
    torch.testing.assert_close(with_trunk[trunk] - usual[trunk], of_target[trunk], **EXACT)
    torch.testing.assert_close(with_trunk[head], usual[head], **EXACT)


def test_groupings_are_those_of_the_methods(small_net, batches, by_hand, loop) -> None:
    model, data = small_net(torch.float64), batches(0, torch.float64)
    everything = {"trunk": tuple(name for name, _ in model.named_parameters())}
    expected = by_hand(copy.deepcopy(model), data, everything)
    step = loop(model, grouping="model").mixed(data)
    assert list(step.weights) == ["trunk"]
    # One cosine instead of the sum of three: beta means the same.
    assert step.rho == pytest.approx(3.0 * step.layers["trunk"].cosine)
    assert_equal_gradients(written(model), expected)
    model.zero_grad()
    assert list(loop(model, grouping="tensor").mixed(data).weights) == list(everything["trunk"])


def test_layers_that_no_source_helps_are_skipped_if_asked(small_net, batches, loop) -> None:
    model = small_net(torch.float64).eval()
    source, *_ = batches(0, torch.float64)
    mine = loop(model, opposed="skip", heads=["last"], v_trains_head=False)
    for name in mine.mixer.sources:
        with mine.mixer.source(name):
            mine.backward(source)
    with mine.mixer.target():
        mine.backward(source, lambda loss: -loss)
    step = mine.mixer.mix()
    assert {solution.regime for solution in step.layers.values()} == {"skipped"}
    assert step.rho == 0.0
    assert not model.first.weight.grad.any()
    assert model.last.weight.grad.any()


def test_figures_are_named_as_those_of_the_methods(small_net, batches, loop) -> None:
    step = loop(small_net()).mixed(batches())
    figures = step.figures()
    assert figures["rho"] == step.rho
    assert figures["eta"] == step.eta
    assert figures["weight/first/web"] == step.weights["first"]["web"]
    assert sum(value for name, value in figures.items() if name.startswith("count/")) == 3.0
    assert Step({}, ("web",), math.nan, 1.0, skipped=True).figures() == {"count/skipped": 1.0}


@pytest.mark.parametrize("settings", [{}, {"v_trains_trunk": True}])
def test_fifty_steps_equal_those_of_the_pipelines_method(toy, settings) -> None:
    """Two ways to the same core, equal up to the rounding order of sums."""
    mine, theirs = toy.network(), toy.network()
    descent = OptimiserConfig(learning_rate=0.02, momentum=0.9)
    # Single-precision dot products round differently; in double, fifty steps agree.
    mine.double()
    theirs.double()
    method = toy.method(
        "gradmix", theirs, optimiser=descent, v_updates_statistics=False, **settings
    )
    mixer = Mixer(mine, method.sources, heads=["heads"], beta=5.0, gamma=0.4, **settings)
    optimizer = torch.optim.SGD(mine.parameters(), lr=0.02, momentum=0.9)
    streams, target = toy.streams(), toy.target()
    moved = {name: p.detach().clone() for name, p in mine.named_parameters()}
    for _ in range(50):
        sources, v = [stream.next() for stream in streams], target.next()
        sources, v = [doubled(batch) for batch in sources], doubled(v)
        figures = method.update(sources, v)
        optimizer.zero_grad()
        for name, batch in zip(mixer.sources, sources, strict=True):
            with mixer.source(name):
                loss(mine(batch.images, batch.head), batch.labels).backward()
        with mixer.target():
            loss(mine(v.images, v.head), v.labels).backward()
        step = mixer.mix()
        optimizer.step()
        assert step.eta == pytest.approx(figures["eta"], rel=1e-7)
        for layer, weights in step.weights.items():
            for source, weight in weights.items():
                assert weight == pytest.approx(figures[f"weight/{layer}/{source}"], abs=1e-6)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(mine.state_dict()[name], value, rtol=1e-7, atol=1e-9)
        if name in moved:
            assert not torch.equal(moved[name], value)


def doubled(batch):
    from gradmix import Batch

    return Batch(batch.images.double(), batch.labels, batch.head)
