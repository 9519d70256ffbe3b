"""DCTN: pseudo-labels above a threshold, discriminators, and a trunk that confuses the hardest."""

import functools
import math

import pytest
import torch
from torch.nn import functional

from gradmix.alignment.adversary import adversary_of, confusion_loss, discrimination_loss
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.method import copied_state
from gradmix.problem import TARGET_HEAD

STILL = OptimiserConfig(learning_rate=1e-2, momentum=0.0)
EVEN = {"log": 2.0 * math.log(2.0), "least_squares": 0.5}
"""L_D of a discriminator that predicts 1/2."""
each_form = pytest.mark.parametrize("adversary", EVEN)


def inputs(toy):
    sources, target = toy.batches()
    return sources, target, toy.unlabelled().next()


def features(toy, method) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Features of the sources, and of V and U, in training mode."""
    sources, target, u = inputs(toy)
    method.network.train()
    embed = method.network.embed
    of_sources = {
        name: embed(batch.images) for name, batch in zip(method.sources, sources, strict=True)
    }
    return of_sources, torch.cat([embed(target.images), embed(u)])


def told_apart(toy, method) -> dict[str, torch.Tensor]:
    """Reference L_D of every source: no detaching, both networks in the graph."""
    of_sources, of_target = features(toy, method)
    found = {}
    for name, of_source in of_sources.items():
        adversary = method.network.heads[adversary_of(name)]
        scores = adversary(of_source), adversary(of_target)
        found[name] = discrimination_loss(*scores, method.config.adversary)
    return found


def prepared(toy, **settings):
    """A method with trained discriminators and the initial weights elsewhere."""
    return twin(toy, discriminating(toy, settings["adversary"]), **settings)


@functools.cache
def discriminating(toy, adversary: str):
    """The same, read only."""
    method = toy.method("dctn", optimiser=STILL, adversary=adversary)
    of_sources, of_target = features(toy, method)
    for name, of_source in of_sources.items():
        adversary = method.network.heads[adversary_of(name)]
        weights = list(adversary.parameters())
        for _ in range(1000):
            scores = adversary(of_source.detach()), adversary(of_target.detach())
            value = discrimination_loss(*scores, method.config.adversary)
            for weight, gradient in zip(weights, torch.autograd.grad(value, weights), strict=True):
                weight.data.sub_(gradient, alpha=0.3)
    return method


def twin(toy, method, **settings):
    """A method in the same state with other settings."""
    other = toy.method("dctn", optimiser=STILL, **settings)
    other.load_state_dict(method.state_dict())
    return other


def adversary_rows(method) -> torch.Tensor:
    """Which entries of the flat vector belong to discriminators."""
    rows = torch.zeros_like(method.flat.vector)
    before = method.flat.vector.clone()
    for name in method.sources:
        for parameter in method.network.heads[adversary_of(name)].parameters():
            parameter.data.fill_(torch.inf)
    rows[torch.isinf(method.flat.vector)] = 1.0
    method.flat.vector.copy_(before)
    return rows.bool()


def test_discriminators_are_parameters_of_the_heads_and_part_of_the_state(toy) -> None:
    method = toy.method("dctn")
    rows = adversary_rows(method)
    assert int(rows.sum()) == 2 * (16 * 64 + 64 + 64 + 1)
    assert not rows[: method.flat.heads.start].any()
    assert {f"heads.adversary_{name}.0.weight" for name in ("near", "far")} <= set(
        copied_state(method.network)
    )
    before = method.flat.vector.clone()
    method.update(*inputs(toy))
    assert (method.flat.vector != before)[rows].any()


@each_form
def test_the_trunk_confuses_the_discriminator_with_the_larger_loss(toy, adversary) -> None:
    chosen = set()
    for swapped in (False, True):
        method = prepared(toy, adversary=adversary)
        heads = method.network.heads
        # An untrained discriminator has a larger loss than a trained one.
        broken = method.sources[int(swapped)]
        for parameter in heads[adversary_of(broken)].parameters():
            parameter.data.zero_()
        losses = {name: float(value.detach()) for name, value in told_apart(toy, method).items()}
        assert max(losses, key=losses.get) == broken
        figures = method.update(*inputs(toy))
        for name in method.sources:
            assert figures[f"adversary/{name}"] == pytest.approx(losses[name], rel=1e-4)
            assert figures[f"count/hardest/{name}"] == float(name == broken)
        chosen.add(broken)
    assert chosen == {"near", "far"}


@each_form
def test_the_gradient_is_the_textbook_sum_with_each_term_where_it_belongs(toy, adversary) -> None:
    """Trunk: cross entropies + weight x confusion of the hardest; discriminators: their own L_D."""
    method = prepared(toy, adversary=adversary, adversary_weight=0.7, threshold=0.4)
    network, flat = method.network, method.flat
    state = method.state_dict()
    (near, far), v, u = inputs(toy)
    embed, heads = network.embed, network.heads
    network.train()
    of = {"near": embed(near.images), "far": embed(far.images)}
    of_v, of_u = embed(v.images), embed(u)
    logits = heads[TARGET_HEAD](of_u)
    confidence, labels = logits.softmax(1).max(1)
    kept = confidence >= 0.4
    assert 0 < int(kept.sum()) < len(u)
    supervised = (
        functional.cross_entropy(heads[TARGET_HEAD](of["near"]), near.labels)
        + functional.cross_entropy(heads["far"](of["far"]), far.labels)
        + functional.cross_entropy(heads[TARGET_HEAD](of_v), v.labels)
        + functional.cross_entropy(logits[kept], labels[kept])
    )
    scores = {
        name: [heads[adversary_of(name)](x) for x in (of[name], torch.cat([of_v, of_u]))]
        for name in of
    }
    told = {name: discrimination_loss(*scores[name], adversary) for name in of}
    hardest = max(told, key=lambda name: float(told[name].detach()))
    confusion = confusion_loss(*scores[hardest], adversary)

    rows, parts = adversary_rows(method), {}
    terms = {"trunk": supervised + 0.7 * confusion, "adversary": sum(told.values())}
    for name, value in terms.items():
        flat.zero()
        flat.collect_in(0)
        value.backward(retain_graph=True)
        parts[name] = flat.gradients[0].clone()
    expected = torch.where(rows, parts["adversary"], parts["trunk"])

    method.load_state_dict(state)
    figures = method.update(*inputs(toy))
    assert figures["count/pseudo_labelled"] == float(kept.sum())
    assert figures["confusion"] == pytest.approx(float(confusion.detach()), rel=1e-4)
    torch.testing.assert_close(flat.gradient, expected, rtol=1e-3, atol=1e-6)


@each_form
def test_a_step_of_the_discriminators_lowers_their_loss(toy, adversary) -> None:
    method = toy.method("dctn", optimiser=STILL, adversary=adversary)
    before, trunk = told_apart(toy, method), slice(0, method.flat.heads.start)
    kept = method.flat.vector[trunk].clone()
    method.update(*inputs(toy))
    method.flat.vector[trunk] = kept
    after = told_apart(toy, method)
    assert all(after[name] < before[name] for name in method.sources)


@each_form
def test_a_step_of_the_trunk_brings_the_hardest_discriminator_closer_to_even_chances(
    toy, adversary
) -> None:
    method, after = prepared(toy, adversary=adversary), {}
    heads = method.flat.vector[method.flat.heads].clone()
    for weight in (0.0, 0.1):
        other = twin(toy, method, adversary=adversary, adversary_weight=weight)
        other.optimiser = OptimiserConfig(learning_rate=1e-3, momentum=0.0)
        figures = other.update(*inputs(toy))
        other.flat.vector[other.flat.heads] = heads
        hardest = max(method.sources, key=lambda name: figures[f"count/hardest/{name}"])
        of_sources, of_target = features(toy, other)
        confusion = other.confusion(hardest, of_sources[hardest], of_target)
        after[weight] = float(confusion.detach())
    assert figures[f"adversary/{hardest}"] < 0.75 * EVEN[adversary]
    assert after[0.1] < after[0.0]


@each_form
@pytest.mark.parametrize("kind", ["network", "map_network"])
def test_the_discriminators_do_not_reach_the_trunk_by_themselves(toy, adversary, kind) -> None:
    """Without confusion and pseudo-labels, trunk and classifiers move as in joint training."""
    settings = {"adversary": adversary, "adversary_weight": 0.0, "threshold": 1.0}
    make = getattr(toy, kind)
    method, joint = toy.method("dctn", make(), **settings), toy.method("joint", make())
    for _ in range(3):
        sources, target, u = inputs(toy)
        found = method.update(sources, target, u)
        expected = joint.update(sources, target)
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, rel=1e-5)
    torch.testing.assert_close(method.flat.vector[~adversary_rows(method)], joint.flat.vector)


def test_discriminators_read_a_map_as_heads_do(toy) -> None:
    method = toy.method("dctn", toy.map_network())
    sources, _, _ = inputs(toy)
    first = method.network.heads[adversary_of("near")][0]
    assert first.in_features == 8
    seen = []
    first.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    method.update(*inputs(toy))
    fresh = toy.map_network()
    torch.testing.assert_close(seen[0], fresh.trunk(sources[0].images).mean((2, 3)))


def test_no_prediction_below_the_threshold_is_a_pseudo_label(toy) -> None:
    method = toy.method("dctn")
    head = method.network.heads[TARGET_HEAD]
    with torch.no_grad():
        head.weight.zero_()
        head.weight[:, :3], head.bias[:] = torch.eye(3), 0.0
    # Probabilities of the largest logit against two zeros: 0.89, 0.91, and 1/3.
    sure = torch.zeros(3, 16)
    sure[0, 0], sure[1, 1] = 2.78, 3.01
    value, number = method.pseudo_labelled_loss(sure)
    assert number == 1
    expected = functional.cross_entropy(torch.tensor([[0.0, 3.01, 0.0]]), torch.tensor([1]))
    torch.testing.assert_close(value, expected)
    value, number = method.pseudo_labelled_loss(sure[[0, 2]])
    assert (float(value.detach()), number) == (0.0, 0)
    value.backward()
    assert not head.weight.grad.any()


def test_a_probability_at_the_threshold_is_enough(toy) -> None:
    method = toy.method("dctn", threshold=1.0)
    with torch.no_grad():
        method.network.heads[TARGET_HEAD].weight.copy_(100.0 * torch.eye(3, 16))
    _, number = method.pseudo_labelled_loss(torch.eye(3, 16))
    assert number == 3


def test_the_figures_name_every_data_set_and_every_adversary(toy) -> None:
    figures = toy.method("dctn").update(*inputs(toy))
    assert set(figures) == {
        *("loss/near", "loss/far", "loss/V", "loss/U", "adversary/near", "adversary/far"),
        *("confusion", "count/pseudo_labelled", "count/hardest/near", "count/hardest/far"),
    }
    assert figures["count/hardest/near"] + figures["count/hardest/far"] == 1.0


def test_training_goes_on_as_well_with_least_squares(toy) -> None:
    method = toy.method("dctn", adversary="least_squares")
    curve = [method.update(*inputs(toy)) for _ in range(30)]
    assert curve[-1]["loss/V"] < 0.5 * curve[0]["loss/V"]
    assert curve[-1]["adversary/near"] < curve[0]["adversary/near"]


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ({"adversary": "hinge"}, r"adversary must be one of log, least_squares\. Found 'hinge'"),
        ({"threshold": 1.5}, r"threshold must be in \[0, 1\], found 1\.5"),
        ({"threshold": -0.1}, r"threshold must be in \[0, 1\], found -0\.1"),
        ({"adversary_weight": -1.0}, r"adversary_weight must not be negative, found -1\.0"),
    ],
)
def test_an_impossible_setting_is_refused(toy, setting, found) -> None:
    with pytest.raises(ValueError, match=found):
        toy.method("dctn", **setting)
