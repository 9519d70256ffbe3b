"""Discriminators and their losses."""

import math

import pytest
import torch

from gradmix.alignment.adversary import (
    add_discriminators,
    adversary_of,
    confusion_loss,
    discrimination_loss,
    untrained,
)

S, T = torch.tensor([[0.3], [-1.2]]), torch.tensor([[0.7], [0.1], [-0.4]])


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def test_the_log_form_equals_the_hand_formula() -> None:
    """L_D = -E log D(s) - E log(1 - D(t)); L_cf = -1/2 E [log D + log(1 - D)] on both."""
    s, t = ([sigmoid(x) for x in scores.flatten().tolist()] for scores in (S, T))
    told = -sum(math.log(d) for d in s) / 2 - sum(math.log(1 - d) for d in t) / 3
    assert float(discrimination_loss(S, T, "log")) == pytest.approx(told, rel=1e-6)
    even = [sum(-0.5 * math.log(d * (1 - d)) for d in x) / len(x) for x in (s, t)]
    assert float(confusion_loss(S, T, "log")) == pytest.approx(sum(even), rel=1e-6)


def test_least_squares_have_the_targets_of_the_authors_code() -> None:
    told = (0.09 + 1.44) / 2 + (0.09 + 0.81 + 1.96) / 3
    assert float(discrimination_loss(S, T, "least_squares")) == pytest.approx(told, rel=1e-5)
    even = 0.5 * (0.04 + 2.89) / 2 + 0.5 * (0.04 + 0.16 + 0.81) / 3
    assert float(confusion_loss(S, T, "least_squares")) == pytest.approx(even, rel=1e-5)


@pytest.mark.parametrize(("adversary", "even"), [("log", 0.0), ("least_squares", 0.5)])
def test_confusion_is_smallest_at_an_even_chance_whichever_way_the_scores_err(
    adversary, even
) -> None:
    scores = torch.full((4, 1), even)
    least = confusion_loss(scores, scores, adversary)
    for off in (-0.5, 0.5):
        assert confusion_loss(scores + off, scores, adversary) > least
        assert confusion_loss(scores, scores + off, adversary) > least


def test_large_scores_stay_finite() -> None:
    for score in (-1e4, 1e4):
        scores = torch.full((2, 1), score)
        assert discrimination_loss(scores, scores, "log") == pytest.approx(1e4)
        assert confusion_loss(scores, scores, "log") == pytest.approx(1e4)


def test_discriminators_follow_torchs_seed_and_do_not_draw_from_it(toy) -> None:
    found = []
    for seed in (0, 0, 1):
        network = toy.network().double()
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        add_discriminators(network, ["near", "far"])
        assert torch.equal(torch.get_rng_state(), state)
        found.append([network.heads[adversary_of(name)] for name in ("near", "far")])
    weights = [pair[0][0].weight for pair in found]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    near, far = found[0]
    assert not torch.equal(near[0].weight, far[0].weight)
    assert [tuple(p.shape) for p in near.parameters()] == [(64, 16), (64,), (1, 64), (1,)]
    assert near[0].weight.dtype == torch.float64
    # Uniform within 1 / sqrt(inputs).
    assert 0.2 < near[0].weight.abs().max() <= 0.25
    assert 0.1 < near[2].weight.abs().max() <= 0.125


def test_an_untrained_module_passes_gradients_on_and_keeps_none() -> None:
    module = torch.nn.Linear(3, 1)
    x = torch.randn(4, 3, requires_grad=True)
    out = untrained(module, x)
    assert torch.equal(out, module(x))
    out.sum().backward()
    torch.testing.assert_close(x.grad, module.weight.detach().expand(4, 3))
    assert module.weight.grad is None
    assert module.bias.grad is None
