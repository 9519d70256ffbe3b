"""GradMix against a slow reference loop, and in its limits."""

import copy

import pytest
import torch

from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.declarations.training import TrainingConfig
from gradmix.grouping import trunk_layers
from gradmix.losses import loss, soft_loss
from gradmix.mixing import importance, learning_rate_scale, mixing_weights
from gradmix.sampling import Batch, Stream
from gradmix.training import train


def autograd(network, batch: Batch) -> dict[str, torch.Tensor]:
    parameters = dict(network.train().named_parameters())
    value = loss(network(batch.images, batch.head), batch.labels)
    found = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
    return {
        name: torch.zeros_like(parameter) if grad is None else grad
        for (name, parameter), grad in zip(parameters.items(), found, strict=True)
    }


def textbook_step(network, descent, sources, target, config) -> float:
    """Eq. 6 to 10, one layer after another, with plain autograd; returns eta."""
    of_sources = [autograd(network, batch) for batch in sources]
    # V runs on a copy, to leave the network's statistics alone.
    of_v = autograd(network if config.v_updates_statistics else copy.deepcopy(network), target)
    mixed, wanted = [], []
    for layer in trunk_layers(network, config.grouping):
        flat = [
            torch.cat([grads[name].flatten() for name in layer.parameters])
            for grads in [*of_sources, of_v]
        ]
        rows = torch.stack(flat[:-1])
        mixed.append(mixing_weights(rows, flat[-1], config.solver) @ rows)
        wanted.append(flat[-1])
        parts = mixed[-1].split([network.get_parameter(n).numel() for n in layer.parameters])
        for name, part in zip(layer.parameters, parts, strict=True):
            parameter = network.get_parameter(name)
            parameter.grad = part.view_as(parameter)
    eta = 1.0
    if config.adaptive:
        per_group = len(trunk_layers(network)) / len(mixed)
        rho = per_group * importance(mixed, wanted)
        eta = float(learning_rate_scale(rho, config.beta, config.gamma))
    for name, parameter in network.named_parameters():
        if name.startswith("heads."):
            parameter.grad = sum(grads[name] for grads in of_sources)
            if config.v_trains_head:
                parameter.grad += of_v[name]
    descent.param_groups[0]["lr"] = 0.05 * eta
    descent.step()
    return eta


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"beta": 3.0, "gamma": 1.5},
        {"adaptive": False, "v_trains_head": False},
        {"solver": "sgd", "grouping": "tensor"},
        {"solver": "slsqp", "grouping": "model"},
        {"solver": "uniform", "v_updates_statistics": False},
    ],
)
def test_gradmix_equals_the_textbook_loop(toy, settings) -> None:
    network = toy.network().double()
    plain = copy.deepcopy(network)
    method = toy.method("gradmix", network=network, **settings)
    descent = torch.optim.SGD(plain.parameters(), lr=0.05, momentum=0.9)
    streams, target = toy.streams(), toy.target()
    for _ in range(4):
        *sources, v = [
            Batch(b.images.double(), b.labels, b.head)
            for b in (stream.next() for stream in [*streams, target])
        ]
        figures = method.update(sources, v)
        eta = textbook_step(plain, descent, sources, v, method.config)
        assert figures["eta"] == pytest.approx(eta, rel=1e-9)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, plain.state_dict()[name], rtol=1e-7, atol=1e-9)


def test_eta_scales_the_learning_rate_of_the_step_and_follows_rho(toy) -> None:
    method = toy.method("gradmix", beta=2.0, gamma=1.0)
    before = method.flat.vector.clone()
    figures = method.update(*toy.batches())
    assert figures["eta"] == pytest.approx(learning_rate_scale(figures["rho"], 2.0, 1.0))
    assert 0.0 < figures["eta"] < 1.0
    moved = before - method.flat.vector
    expected = 0.05 * figures["eta"] * method.flat.gradient
    torch.testing.assert_close(moved, expected, rtol=1e-3, atol=1e-6)


def test_without_adaptation_eta_is_one(toy) -> None:
    figures = toy.method("gradmix", adaptive=False).update(*toy.batches())
    assert figures["eta"] == 1.0
    assert figures["rho"] != 0.0


def statistics(network) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.named_buffers()}


@pytest.mark.parametrize("by_v", [False, True])
def test_v_updates_running_statistics_only_if_told(toy, by_v) -> None:
    method = toy.method("gradmix", v_updates_statistics=by_v)
    plain = copy.deepcopy(method.network).train()
    sources, target = toy.batches()
    method.update(sources, target)
    for batch in [*sources, target] if by_v else sources:
        plain(batch.images, batch.head)
    expected = statistics(plain)
    for name, value in statistics(method.network).items():
        torch.testing.assert_close(value, expected[name])


def test_v_is_normalised_by_its_own_batch_all_the_same(toy) -> None:
    method = toy.method("gradmix")
    for statistic in statistics(method.network):
        if statistic.endswith("running_mean"):
            method.network.get_buffer(statistic).fill_(1e3)
    plain = copy.deepcopy(method.network).train()
    sources, target = toy.batches()
    found = method.update(sources, target)["loss/V"]
    assert found == pytest.approx(loss(plain(target.images, "target"), target.labels).item())


@pytest.mark.parametrize("trains", [True, False])
def test_v_reaches_the_targets_head_only_if_told(toy, trains) -> None:
    method = toy.method("gradmix", v_trains_head=trains)
    plain, (sources, target) = copy.deepcopy(method.network), toy.batches()
    of = [autograd(plain, batch) for batch in [*sources, target]]
    method.update(sources, target)
    method.flat.gradients[0].copy_(method.flat.gradient)
    method.flat.collect_in(0)
    for name, rows in (("heads.target.weight", (0, 2)), ("heads.far.weight", (1,))):
        expected = sum(of[row][name] for row in rows if trains or row < 2)
        found = method.network.get_parameter(name).grad
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
        assert expected.any()


@pytest.mark.parametrize("grouping", ["layer", "tensor", "model"])
def test_rho_is_on_the_scale_of_the_layers_whatever_is_grouped(toy, grouping) -> None:
    """With V as the only source, every cosine is 1 and rho is the number of layers."""
    method = toy.method("gradmix", sources=("near",), grouping=grouping)
    _, target = toy.batches()
    figures = method.update([target], target)
    assert figures["rho"] == pytest.approx(len(trunk_layers(method.network)), rel=1e-6)


def test_one_groups_rho_is_its_cosine_times_the_number_of_layers(toy) -> None:
    method = toy.method("gradmix", solver="uniform", grouping="model")
    sources, target = toy.batches()
    plain = copy.deepcopy(method.network)
    grads = [autograd(plain, batch) for batch in [*sources, target]]
    (layer,) = trunk_layers(plain, "model")
    near, far, v = (torch.cat([g[name].flatten() for name in layer.parameters]) for g in grads)
    cosine = torch.nn.functional.cosine_similarity(near + far, v, dim=0).item()
    found = method.update(sources, target)["rho"]
    assert found == pytest.approx(len(trunk_layers(plain)) * cosine, rel=1e-4)


@pytest.mark.parametrize("solver", ["exact", "uniform"])
def test_v_trains_the_trunk_beside_the_mixture_if_told(toy, solver) -> None:
    methods = [toy.method("gradmix", solver=solver, v_trains_trunk=told) for told in (False, True)]
    figures = [method.update(*toy.batches()) for method in methods]
    assert figures[0] == figures[1]
    mixed, with_v = (method.flat.gradient for method in methods)
    trunk, heads = slice(0, methods[0].flat.heads.start), methods[0].flat.heads
    of_v = methods[0].flat.gradients[2]
    torch.testing.assert_close(with_v[trunk], mixed[trunk] + of_v[trunk])
    assert of_v[trunk].any()
    assert torch.equal(with_v[heads], mixed[heads])


def test_uniform_weights_with_v_on_the_trunk_are_joint_with_averaged_sources(toy) -> None:
    """Of joint's gradient g_1 + g_2 + g_V, the trunk's is (g_1 + g_2) / 2 + g_V."""
    settings = {"solver": "uniform", "v_trains_trunk": True, "adaptive": False}
    method, joint = toy.method("gradmix", **settings), toy.method("joint")
    method.update(*toy.batches())
    joint.update(*toy.batches())
    trunk, heads = slice(0, method.flat.heads.start), method.flat.heads
    of_sources = method.flat.gradients[:2, trunk].sum(0)
    expected = joint.flat.gradient[trunk] - of_sources / 2
    torch.testing.assert_close(method.flat.gradient[trunk], expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(method.flat.gradient[heads], joint.flat.gradient[heads])


OPPOSED = [
    [1.0, 0.2, -0.3],
    [0.2, 1.0, -0.5],
    [-0.3, -0.5, 1.0],
]


@pytest.mark.parametrize("solver", ["exact", "slsqp", "sgd", "uniform"])
def test_where_no_source_points_along_v_its_layer_is_skipped_if_told(toy, solver) -> None:
    method = toy.method("gradmix", solver=solver, opposed="skip")
    skipped = method.solve_named("layer", OPPOSED, method._solver)
    assert (skipped.weights, skipped.cosine, skipped.regime) == ((0.0, 0.0), None, "skipped")
    helped = [[*row[:2], abs(row[2])] for row in OPPOSED[:2]] + [[0.3, 0.5, 1.0]]
    assert method.solve_named("layer", helped, method._solver).regime == "cone"
    taken = toy.method("gradmix").solve_named("layer", OPPOSED, method._solver)
    assert sum(taken.weights) == pytest.approx(1.0)


def test_skipped_layers_take_no_step_of_the_sources_and_no_part_in_rho(toy) -> None:
    method = toy.method("gradmix", sources=("near",), opposed="skip")
    (near, _), _ = toy.batches()
    before = method.flat.vector.clone()
    # The gradient of wrong labels points against that of right ones nearly everywhere.
    figures = method.update([Batch(near.images, (near.labels + 1) % 3, near.head)], near)
    segments = dict(zip(method.flat.layer_names, method.flat.segments, strict=True))
    skipped = [name for name in segments if figures[f"weight/{name}/near"] == 0.0]
    assert figures["count/skipped"] == len(skipped) > 0
    for name in skipped:
        assert torch.equal(method.flat.vector[segments[name]], before[segments[name]])
    assert figures["rho"] >= 0.0


def one_source(toy, **settings):
    return toy.method("gradmix", sources=("near",), adaptive=False, **settings)


def test_with_one_source_and_v_only_steering_it_is_plain_sgd(toy) -> None:
    method, plain = (
        one_source(toy, v_trains_head=False, v_updates_statistics=False),
        toy.method("source_only", sources=["near"]),
    )
    stream = toy.streams()[0]
    for _ in range(5):
        batch = stream.next()
        method.update([batch], toy.batches()[1])
        plain.update([batch], None)
    torch.testing.assert_close(method.flat.vector, plain.flat.vector, rtol=1e-5, atol=1e-6)
    for name, value in method.network.state_dict().items():
        torch.testing.assert_close(value, plain.network.state_dict()[name], rtol=1e-5, atol=1e-6)


def test_with_one_source_the_trunks_first_step_is_plain_sgd(toy) -> None:
    method, plain = one_source(toy), toy.method("source_only", sources=["near"])
    (near, _), target = toy.batches()
    method.update([near], target)
    plain.update([near], None)
    trunk = slice(0, method.flat.heads.start)
    torch.testing.assert_close(method.flat.gradient[trunk], plain.flat.gradient[trunk])
    heads = method.flat.heads
    assert not torch.allclose(method.flat.gradient[heads], plain.flat.gradient[heads])


@pytest.mark.parametrize("solver", ["exact", "slsqp", "sgd", "uniform"])
def test_identical_sources_move_the_trunk_as_one_does(toy, solver) -> None:
    (near, _), target = toy.batches(torch.float64)
    double = [toy.network().double() for _ in range(2)]
    twins = toy.method("gradmix", double[0], sources=("near", "twin"), solver=solver)
    single = toy.method("gradmix", double[1], sources=("near",))
    figures, expected = twins.update([near, near], target), single.update([near], target)
    trunk = slice(0, single.flat.heads.start)
    torch.testing.assert_close(
        twins.flat.gradient[trunk], single.flat.gradient[trunk], rtol=1e-7, atol=1e-9
    )
    assert figures["rho"] == pytest.approx(expected["rho"], abs=1e-7)
    if solver != "slsqp":
        assert figures["weight/hidden/near"] == pytest.approx(0.5)


def test_uniform_weights_without_adaptation_are_the_mean_on_the_trunk(toy) -> None:
    method = toy.method("gradmix", solver="uniform", adaptive=False)
    plain = toy.method("source_only", combine="mean")
    sources, target = toy.batches()
    method.update(sources, target)
    plain.update(sources, None)
    trunk = slice(0, method.flat.heads.start)
    torch.testing.assert_close(
        method.flat.gradient[trunk], plain.flat.gradient[trunk], rtol=1e-5, atol=1e-7
    )


def test_figures_tell_weights_regimes_and_entropy_of_every_layer(toy) -> None:
    figures = toy.method("gradmix").update(*toy.batches())
    layers = [layer.name for layer in trunk_layers(toy.network())]
    for layer in layers:
        pair = [figures[f"weight/{layer}/{source}"] for source in ("near", "far")]
        assert sum(pair) == pytest.approx(1.0)
    assert sum(v for k, v in figures.items() if k.startswith("count/")) == len(layers)
    assert 0.0 <= figures["weight_entropy"] <= 1.0
    assert abs(figures["rho"]) <= len(layers)


def test_a_gradient_that_is_no_number_names_source_layer_and_step(toy) -> None:
    streams, target = toy.streams(), toy.target()
    images = streams[1]._images.float()
    images[:, 0, 0, 0] = torch.nan
    streams[1] = Stream("far", images, streams[1]._labels, "far", 12, 0)
    message = (
        r"^step 1: the gradient of far in layer features\.0 contains NaN or Inf; "
        r"lower the learning rate or check the data\.$"
    )
    with pytest.raises(FloatingPointError, match=message):
        train(
            toy.method("gradmix"), streams, target, toy.hyper_validation(), TrainingConfig(steps=2)
        )


def test_a_v_that_is_no_number_is_named(toy) -> None:
    sources, target = toy.batches()
    method = toy.method("gradmix")
    before = method.flat.vector.clone()
    with pytest.raises(FloatingPointError, match=r"gradient of V in layer features\.0"):
        method.update(sources, Batch(target.images * torch.nan, target.labels, "target"))
    assert torch.equal(method.flat.vector, before), "the step must not be taken"


def test_a_source_without_a_gradient_gets_no_weight(toy) -> None:
    sources, target = toy.batches()
    flat = Batch(torch.zeros_like(sources[1].images), sources[1].labels, "far")
    figures = toy.method("gradmix").update([sources[0], flat], target)
    assert figures["weight/features.0/far"] == 0.0
    assert figures["weight/features.0/near"] == 1.0
    assert figures["count/single"] >= 1.0


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"solver": "best"}, "Found 'best'"),
        ({"opposed": "stop"}, "vertex, skip. Found 'stop'"),
        ({"beta": -1.0}, "beta must not be negative, found -1.0"),
        ({"grouping": "block"}, "Found 'block'"),
    ],
)
def test_impossible_settings_are_refused(toy, settings, found) -> None:
    with pytest.raises(ValueError, match=found):
        toy.method("gradmix", optimiser=OptimiserConfig(), **settings)


@pytest.mark.parametrize("direction", ["reverse", "forward"])
def test_label_distributions_are_trained_by_the_chosen_divergence(toy, direction) -> None:
    method = toy.method("gradmix", soft_direction=direction)
    plain, (sources, target) = copy.deepcopy(method.network).train(), toy.batches()
    soft = torch.nn.functional.one_hot(sources[0].labels).float() * 0.5 + 0.1
    first = Batch(sources[0].images, soft / soft.sum(1, keepdim=True), sources[0].head)
    expected = soft_loss(plain(first.images, first.head), first.labels, direction).item()
    figures = method.update([first, *sources[1:]], target)
    assert figures[f"loss/{method.sources[0]}"] == pytest.approx(expected, rel=1e-5)


def test_an_unknown_divergence_is_refused(toy) -> None:
    with pytest.raises(ValueError, match=r"reverse, forward\. Found 'both'"):
        toy.method("gradmix", soft_direction="both")
