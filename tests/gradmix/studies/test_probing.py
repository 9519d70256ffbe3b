"""Probes of a mini-batch against manual steps and the slope of the loss."""

import copy

import pytest
import torch
from torch.nn import functional

from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.grouping import trunk_layers
from gradmix.losses import hard_loss
from gradmix.metrics import score
from gradmix.mixing import mixing_weights
from gradmix.normalisation import standardise
from gradmix.problem import TARGET_HEAD
from gradmix.sampling import Batch
from gradmix.studies.probing import Probe, probe


def double_method(toy, alpha: float, name: str = "gradmix", **settings):
    """A method in double precision after a few steps, so that all its state is non-trivial."""
    method = toy.method(name, toy.network().double(), **settings)
    sources, target = toy.batches(torch.float64)
    for _ in range(5):
        method.update(sources, target)
    method.optimiser = OptimiserConfig(learning_rate=alpha, momentum=0.9)

    def predict(images):
        with torch.no_grad():
            return method.network.eval()(standardise(images).double(), TARGET_HEAD)

    method.predict = predict
    return method


def probed(toy, method, **options) -> Probe:
    held_out = toy.hyper_validation()
    sources, target = toy.batches(method.flat.vector.dtype)
    return probe(method, sources, target, held_out.images, held_out.labels, **options)


def held_out_loss(toy, network) -> torch.Tensor:
    held_out = toy.hyper_validation()
    logits = network.eval()(standardise(held_out.images).double(), TARGET_HEAD)
    return functional.cross_entropy(logits, held_out.labels)


def gradients(network, batch: Batch) -> dict[str, torch.Tensor]:
    network = copy.deepcopy(network).train()
    hard_loss(network(batch.images, batch.head), batch.labels).backward()
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


def mixed_by_hand(network, sources, target) -> dict[str, dict[str, torch.Tensor]]:
    """Mixed gradient of every layer, by parameter."""
    *of_sources, of_v = [gradients(network, batch) for batch in [*sources, target]]
    mixed = {}
    for layer in trunk_layers(network):
        rows = [
            torch.cat([found[name].flatten() for name in layer.parameters])
            for found in [*of_sources, of_v]
        ]
        weights = mixing_weights(torch.stack(rows[:-1]), rows[-1])
        mixed[layer.name] = {
            name: sum(w * found[name] for w, found in zip(weights, of_sources, strict=True))
            for name in layer.parameters
        }
    return mixed


def change_by_hand(toy, network, steps) -> float:
    moved = copy.deepcopy(network)
    with torch.no_grad():
        for layer in steps:
            for name, step in layer.items():
                moved.get_parameter(name).sub_(0.05 * step)
        return float(held_out_loss(toy, moved) - held_out_loss(toy, network))


def test_changes_are_those_of_plain_steps_by_hand(toy) -> None:
    method = double_method(toy, alpha=0.05)
    plain = copy.deepcopy(method.network)
    found = probed(toy, method)
    mixed = mixed_by_hand(plain, *toy.batches(torch.float64))
    assert found.layers == tuple(mixed)
    assert found.change == pytest.approx(change_by_hand(toy, plain, mixed.values()), rel=1e-6)
    for change, layer in zip(found.changes, mixed.values(), strict=True):
        assert change == pytest.approx(change_by_hand(toy, plain, [layer]), rel=1e-6)
    assert len({*found.changes, found.change}) == len(mixed) + 1


def test_small_steps_change_the_loss_by_their_slope(toy) -> None:
    alpha = 1e-6
    method = double_method(toy, alpha)
    plain = copy.deepcopy(method.network)
    found = probed(toy, method)
    held_out_loss(toy, plain).backward()
    slopes = [
        sum(float((step * plain.get_parameter(name).grad).sum()) for name, step in layer.items())
        for layer in mixed_by_hand(plain, *toy.batches(torch.float64)).values()
    ]
    size = alpha * sum(abs(slope) for slope in slopes)
    assert found.changes == pytest.approx([-alpha * slope for slope in slopes], abs=1e-3 * size)
    assert found.change == pytest.approx(-alpha * sum(slopes), abs=1e-3 * size)
    assert sum(found.changes) == pytest.approx(found.change, abs=1e-3 * size)
    assert abs(found.change) > 1e-2 * size


def test_the_heads_stay_where_they_are(toy) -> None:
    moving, still = (double_method(toy, 0.05) for _ in range(2))
    sources, target = toy.batches(torch.float64)
    still.mix(sources, target)
    assert still.flat.gradient[still.flat.heads].any()
    before = still.flat.vector[still.flat.heads].clone()
    seen = []
    predict = moving.predict

    def watched(images):
        seen.append(moving.flat.vector[moving.flat.heads].clone())
        return predict(images)

    moving.predict = watched
    probed(toy, moving)
    assert len(seen) == 2 + len(moving.flat.segments)
    assert all(torch.equal(heads, before) for heads in seen)


def test_rho_and_cosines_are_those_of_the_methods_next_step(toy) -> None:
    method = toy.method("gradmix")
    found = probed(toy, method)
    figures = method.update(*toy.batches())
    assert found.rho == figures["rho"] == sum(found.cosines)
    assert found.layers == method.flat.layer_names


def snapshot(method) -> dict[str, torch.Tensor]:
    """Everything the next step depends on, as tensors."""
    state = method.state_dict()
    others = {name: value for name, value in state.items() if name not in ("network", "optimiser")}
    others |= state["optimiser"]
    flat = {name: torch.as_tensor(value) for name, value in others.items()}
    own = {"vector": method.flat.vector.clone(), "torch": torch.get_rng_state()}
    return {**state["network"], **flat, **own}


def assert_same(found, expected) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("gradmix", {"v_updates_statistics": True}),
        ("gradmix_sgd", {"weight_steps": 3}),
        ("gradmix_mixmatch", {}),
        ("gradmix_vat", {"unlabelled_term": "added"}),
    ],
)
def test_everything_is_put_back_and_training_goes_on_as_if_never_probed(
    toy, name, settings
) -> None:
    method, never = (toy.method(name, **settings) for _ in range(2))
    sources, target = toy.batches()
    unlabelled = toy.unlabelled().next()
    for each in (method, never):
        each.update(sources, target, unlabelled)
    before = snapshot(method)
    probed(toy, method, unlabelled=unlabelled)
    assert_same(snapshot(method), before)
    expected = never.update(sources, target, unlabelled)
    assert method.update(sources, target, unlabelled) == expected
    assert_same(snapshot(method), snapshot(never))


def test_the_generator_of_torch_is_put_back(toy) -> None:
    method = toy.method("gradmix")
    backward = method.backward

    def drawing(*arguments, **options):
        torch.rand(3)
        return backward(*arguments, **options)

    method.backward = drawing
    before = torch.get_rng_state()
    probed(toy, method)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_fails_puts_everything_back_too(toy) -> None:
    method, held_out = toy.method("gradmix"), toy.hyper_validation()
    sources, target = toy.batches()
    before = snapshot(method)
    broken = Batch(target.images * torch.nan, target.labels, target.head)
    with pytest.raises(FloatingPointError, match="the gradient of V in layer"):
        probe(method, sources, broken, held_out.images, held_out.labels)
    assert_same(snapshot(method), before)
    method.optimiser = OptimiserConfig(learning_rate=1e38)
    with pytest.raises(FloatingPointError, match=r"loss after the step is (nan|inf); lower"):
        probed(toy, method)
    assert_same(snapshot(method), before)


def test_the_loss_before_may_be_given(toy) -> None:
    method, held_out = toy.method("gradmix"), toy.hyper_validation()
    before = score(method.predict, held_out.images, held_out.labels).loss
    found = probed(toy, method)
    assert probed(toy, method, before=before) == found
    shifted = probed(toy, method, before=before + 1.0)
    assert shifted.change == pytest.approx(found.change - 1.0)
    assert shifted.changes == pytest.approx([change - 1.0 for change in found.changes])


def test_a_layer_without_a_cosine_says_so_and_is_left_out_of_rho(toy) -> None:
    method, held_out = toy.method("gradmix"), toy.hyper_validation()
    sources, target = toy.batches()
    sources = [Batch(torch.zeros_like(b.images), b.labels, b.head) for b in sources]
    found = probe(method, sources, target, held_out.images, held_out.labels)
    assert found.cosines[0] is None
    assert found.changes[0] == pytest.approx(0.0, abs=1e-6)
    assert found.rho == sum(cosine for cosine in found.cosines if cosine is not None)
    assert torch.isfinite(torch.tensor([found.rho, found.change, *found.changes])).all()
