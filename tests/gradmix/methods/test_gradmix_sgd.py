"""GradMix SGD against learning to reweight written with autograd, and in its limits."""

import copy

import pytest
import torch
from torch.func import functional_call

from gradmix.declarations.methods.gradmix_sgd import GradMixSGDConfig
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.grouping import trunk_layers
from gradmix.losses import loss
from gradmix.methods.gradmix_sgd import GradMixSGD
from gradmix.mixing import gramian
from gradmix.solving.solvers import exact, sgd, solve_layer

RATE = 0.05


def loss_at(network, moved, batch) -> torch.Tensor:
    """Training loss with some parameters replaced; only a copy's running statistics change."""
    plain = copy.deepcopy(network).train()
    return loss(functional_call(plain, moved, (batch.images, batch.head)), batch.labels)


def trunk_of(network) -> dict[str, torch.Tensor]:
    return {
        name: parameter.detach().clone().requires_grad_()
        for name, parameter in network.named_parameters()
        if not name.startswith("heads.")
    }


def reweighted(network, sources, target, layers) -> torch.Tensor:
    """[31] literally: w [layers, k] = max(-d f_V / d eps, 0) at eps = 0, by double backward."""
    trunk = trunk_of(network)
    eps = torch.zeros(len(layers), len(sources), dtype=torch.float64, requires_grad=True)
    moved = {}
    for layer, of_layer in zip(layers, eps, strict=True):
        weighted = sum(
            e * loss_at(network, trunk, batch) for e, batch in zip(of_layer, sources, strict=True)
        )
        own = [trunk[name] for name in layer.parameters]
        grads = torch.autograd.grad(weighted, own, create_graph=True)
        for name, parameter, grad in zip(layer.parameters, own, grads, strict=True):
            moved[name] = parameter - RATE * grad
    (in_eps,) = torch.autograd.grad(loss_at(network, moved, target), eps)
    return (-in_eps).clamp_min(0.0)


def weights_in(figures, layers) -> torch.Tensor:
    rows = [[figures[f"weight/{layer.name}/{s}"] for s in ("near", "far")] for layer in layers]
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("grouping", ["layer", "tensor", "model"])
def test_one_step_is_the_double_backward_of_learning_to_reweight(toy, grouping) -> None:
    compared = 0
    for seed in range(3):
        network = toy.network(seed).double()
        layers = trunk_layers(network, grouping)
        sources, target = toy.batches(torch.float64)
        expected = reweighted(network, sources, target, layers)
        figures = toy.method("gradmix_sgd", network, grouping=grouping).update(sources, target)
        found = weights_in(figures, layers)
        # If no weight is left, there is nothing to normalise.
        some = expected.any(1)
        expected = expected[some] / expected[some].sum(1, keepdim=True)
        torch.testing.assert_close(found[some], expected, rtol=0.0, atol=1e-5)
        compared += int(((expected > 0.01) & (expected < 0.99)).any(1).sum())
    assert compared, "all weights are 0 or 1: nothing was compared"


def test_one_step_is_gradmix_with_that_solver(toy) -> None:
    descent, plain = toy.method("gradmix_sgd"), toy.method("gradmix", solver="sgd")
    for _ in range(3):
        assert descent.update(*toy.batches()) == plain.update(*toy.batches())
    assert torch.equal(descent.flat.vector, plain.flat.vector)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_orthogonal_sources_of_equal_length_get_the_exact_weights(k) -> None:
    generator = torch.Generator().manual_seed(k)
    for _ in range(20):
        square = torch.randn(8, 8, generator=generator, dtype=torch.float64)
        rows = 3.0 * torch.linalg.qr(square).Q[:k]
        target = torch.randn(1, 8, generator=generator, dtype=torch.float64)
        gram = gramian(torch.cat([rows, target])).tolist()
        found, expected = solve_layer(gram, sgd), solve_layer(gram, exact)
        assert found.weights == pytest.approx(expected.weights, abs=1e-9)
        assert found.cosine == pytest.approx(expected.cosine, abs=1e-9)


def textbook_weights(network, sources, target, layers, config) -> torch.Tensor:
    """Projected descent on f_V(Theta*(w)) (Eq. 2 and 3) from equal weights, [layers, k]."""
    trunk = trunk_of(network)
    grads = [
        dict(
            zip(
                trunk,
                torch.autograd.grad(loss_at(network, trunk, b), [*trunk.values()]),
                strict=True,
            )
        )
        for b in sources
    ]
    k = len(sources)
    weights = torch.full((len(layers), k), 1.0 / k, dtype=torch.float64)
    for _ in range(config.weight_steps):
        weights.requires_grad_()
        moved = {
            name: trunk[name].detach() - RATE * sum(of_layer[i] * grads[i][name] for i in range(k))
            for layer, of_layer in zip(layers, weights, strict=True)
            for name in layer.parameters
        }
        (slope,) = torch.autograd.grad(loss_at(network, moved, target), weights)
        weights = (weights.detach() - config.weight_rate * slope).clamp_min(0.0)
    return weights


@pytest.mark.parametrize("grouping", ["layer", "model"])
@pytest.mark.parametrize(("steps", "rate"), [(2, 3.0), (5, 1.0), (4, 40.0)])
def test_more_steps_are_projected_descent_on_the_loss_of_v(toy, grouping, steps, rate) -> None:
    compared = clamped = 0
    for seed in range(2):
        network = toy.network(seed).double()
        layers = trunk_layers(network, grouping)
        sources, target = toy.batches(torch.float64)
        settings = {"weight_steps": steps, "weight_rate": rate, "grouping": grouping}
        config = GradMixSGDConfig(**settings)
        expected = textbook_weights(network, sources, target, layers, config)
        figures = toy.method("gradmix_sgd", network, **settings).update(sources, target)
        found = weights_in(figures, layers)
        some = expected.any(1)
        clamped += int((expected == 0.0).sum())
        expected = expected[some] / expected[some].sum(1, keepdim=True)
        torch.testing.assert_close(found[some], expected, rtol=0.0, atol=1e-7)
        compared += int((expected - 0.5).abs().gt(0.01).sum())
    assert compared, "the weights have not moved: nothing was compared"
    assert clamped or rate < 40.0, "no weight has reached its bound"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("steps", [1, 3])
def test_a_small_step_lowers_the_loss_of_v_more_than_with_equal_weights(toy, seed, steps) -> None:
    optimiser = OptimiserConfig(learning_rate=1e-3)
    sources, target = toy.batches(torch.float64)

    def loss_after(name: str, **settings) -> float:
        network = toy.network(seed).double()
        options = {"optimiser": optimiser, "adaptive": False, **settings}
        toy.method(name, network, **options).update(sources, target)
        return loss_at(network, {}, target).item()

    descended = loss_after("gradmix_sgd", weight_steps=steps, weight_rate=1000.0)
    assert descended < loss_after("gradmix", solver="uniform")
    assert descended < loss_at(toy.network(seed).double(), {}, target).item()


def test_weights_of_the_whole_trunk_are_the_positive_dot_products_over_all_layers(toy) -> None:
    method = toy.method("gradmix_sgd", toy.network().double(), grouping="model")
    figures = method.update(*toy.batches(torch.float64))
    trunk = slice(0, method.flat.heads.start)
    near, far, v = method.flat.gradients[:3, trunk]
    along = torch.stack([near @ v, far @ v]).clamp_min(0.0)
    found = [figures["weight/trunk/near"], figures["weight/trunk/far"]]
    assert found == pytest.approx((along / along.sum()).tolist(), rel=1e-6, abs=1e-9)


def ready(toy, **settings) -> GradMixSGD:
    """A method with all gradients of a mini-batch, before any step."""
    method = toy.method("gradmix_sgd", toy.network().double(), **settings)
    sources, target = toy.batches(torch.float64)
    for row, batch in enumerate([*sources, target]):
        method.backward(batch, row, update_statistics=False)
    return method


def test_the_search_leaves_parameters_statistics_and_gradients_as_they_were(toy) -> None:
    method = ready(toy, weight_steps=4, weight_rate=40.0)
    vector, rows = method.flat.vector.clone(), method.flat.gradients[:3].clone()
    descent = method.state_dict()["optimiser"]
    buffers = {name: value.clone() for name, value in method.network.named_buffers()}
    solutions = method.solve(toy.batches(torch.float64)[1])
    assert any(solution.weights[0] != solution.weights[1] for solution in solutions)
    assert torch.equal(method.flat.vector, vector)
    assert torch.equal(method.flat.gradients[:3], rows)
    assert torch.equal(method.state_dict()["optimiser"]["memory"], descent["memory"])
    for name, value in method.network.named_buffers():
        assert torch.equal(value, buffers[name]), name


@pytest.mark.parametrize("steps", [1, 3])
def test_where_all_weights_are_zero_the_source_with_the_largest_cosine_is_taken(toy, steps) -> None:
    # The first step takes all weights far below zero.
    method = ready(toy, weight_steps=steps, weight_rate=1e9)
    of_v = method.flat.gradients[method.v_row]
    across = torch.randn(of_v.shape, generator=torch.Generator().manual_seed(0)).to(of_v)
    across *= of_v.norm() / across.norm()
    method.flat.gradients[0] = -of_v
    # Longer, but less opposed.
    method.flat.gradients[1] = 3.0 * (across - of_v)
    method.optimiser = OptimiserConfig(learning_rate=1e-7)
    for solution in method.solve(toy.batches(torch.float64)[1]):
        assert solution.weights == (0.0, 1.0)
        assert solution.regime == "vertex"
        assert -1.0 < solution.cosine < 0.0


def test_a_source_without_a_gradient_gets_no_weight(toy) -> None:
    method = ready(toy, weight_steps=3)
    method.flat.gradients[0].zero_()
    for solution in method.solve(toy.batches(torch.float64)[1]):
        assert solution.weights == (0.0, 1.0)
        assert solution.regime == "single"


def test_weights_stay_with_their_sources_when_one_has_no_gradient(toy) -> None:
    # Equal weights are halves and thirds; with steps this long, neither matters.
    settings = {"weight_steps": 3, "weight_rate": 1e18}
    sources, target = toy.batches(torch.float64)
    pair = ready(toy, **settings)
    three = toy.method(
        "gradmix_sgd", toy.network().double(), sources=("near", "none", "far"), **settings
    )
    for row, batch in ((0, sources[0]), (2, sources[1]), (3, target)):
        three.backward(batch, row, update_statistics=False)
    for method in (pair, three):
        method.optimiser = OptimiserConfig(learning_rate=1e-12)
    found, expected = three.solve(target), pair.solve(target)
    for of_three, of_two in zip(found, expected, strict=True):
        near, none, far = of_three.weights
        assert none == 0.0
        assert (near, far) == pytest.approx(of_two.weights, abs=1e-4)
    assert any(abs(of_two.weights[0] - of_two.weights[1]) > 0.1 for of_two in expected)


def test_a_search_that_leaves_the_numbers_is_refused_and_moves_nothing(toy) -> None:
    optimiser = OptimiserConfig(learning_rate=1e38)
    method = toy.method("gradmix_sgd", optimiser=optimiser, weight_steps=2)
    before = method.flat.vector.clone()
    with pytest.raises(FloatingPointError, match=r"NaN or Inf; lower learning_rate or weight_rate"):
        method.update(*toy.batches())
    assert torch.equal(method.flat.vector, before)


def test_v_that_is_no_number_is_named_before_anything_is_moved(toy) -> None:
    method = ready(toy, weight_steps=2)
    before = method.flat.vector.clone()
    method.flat.gradients[method.v_row, 0] = torch.nan
    with pytest.raises(FloatingPointError, match=r"gradient of V in layer features\.0"):
        method.solve(toy.batches(torch.float64)[1])
    assert torch.equal(method.flat.vector, before)


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ({"weight_steps": 0}, "weight_steps must be at least 1, found 0"),
        ({"weight_rate": 0.0}, "weight_rate must be positive, found 0.0"),
        ({"weight_rate": float("nan")}, "weight_rate must be positive, found nan"),
        ({"solver": "exact"}, r"solver must be sgd\. Found 'exact'"),
        ({"beta": -1.0}, "beta must not be negative"),
    ],
)
def test_an_impossible_setting_is_refused(setting, found) -> None:
    with pytest.raises(ValueError, match=found):
        GradMixSGDConfig(**setting)
