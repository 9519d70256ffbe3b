"""SoftMatch's weights by hand, and the weighted loss."""

import io

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from gradmix.declarations.unlabelled import SoftWeighting
from gradmix.unlabelled.augmentation import strong, weak
from gradmix.unlabelled.soft_weights import SoftWeights, soft_match_loss

# Class frequencies (.75, .25): aligned to (.5, .5), rows become (.6, .2) and (.4, .8), normalised
# to (.75, .25) and (1/3, 2/3). Confidences .75 and .6667, mean .708333, unbiased variance .003472.
PREDICTED = torch.tensor([[0.9, 0.1], [0.6, 0.4]])


def weights_of(momentum: float = 0.9, deviations: float = 2.0) -> SoftWeights:
    return SoftWeights(SoftWeighting(ema_momentum=momentum, deviations=deviations))


def test_averages_start_at_an_even_guess_and_a_wide_gaussian() -> None:
    weights = weights_of()
    torch.testing.assert_close(weights.weigh(PREDICTED), torch.ones(2))
    assert weights.mean == pytest.approx(0.9 * 0.5 + 0.1 * 0.7083333, abs=1e-5)
    assert weights.variance == pytest.approx(0.9 * 1.0 + 0.1 * 0.0034722, abs=1e-5)
    torch.testing.assert_close(weights.frequencies, torch.tensor([0.75, 0.25]))


def test_weights_fall_below_the_running_mean_as_worked_out_by_hand() -> None:
    """mean = .72 + .0708333 = .7908333, variance = .036 + .0003472 = .0363472.

    exp(-4 (.75 - .7908333)^2 / (2 * .0363472)) = exp(-.09175), and exp(-.84833) for .6667.
    """
    weights = weights_of()
    frequencies = torch.tensor([0.75, 0.25])
    weights.load_state_dict({"mean": 0.8, "variance": 0.04, "frequencies": frequencies})
    expected = torch.tensor([-0.09175, -0.84833]).exp()
    torch.testing.assert_close(weights.weigh(PREDICTED), expected, atol=2e-4, rtol=0.0)


def test_class_frequencies_are_averaged_too() -> None:
    weights = weights_of()
    weights.weigh(PREDICTED)
    weights.weigh(PREDICTED.flip(1))
    expected = 0.9 * torch.tensor([0.75, 0.25]) + 0.1 * torch.tensor([0.25, 0.75])
    torch.testing.assert_close(weights.frequencies, expected)


@given(st.integers(0, 10_000), st.floats(0.0, 0.99), st.floats(0.1, 5.0))
def test_weights_are_in_0_1_and_rise_with_aligned_confidence(seed, momentum, deviations) -> None:
    generator, weights = torch.Generator().manual_seed(seed), weights_of(momentum, deviations)
    for _ in range(3):
        probabilities = (3.0 * torch.randn(9, 4, generator=generator)).softmax(1)
        found = weights.weigh(probabilities)
        scaled = probabilities / (weights.frequencies + 1e-6)
        order = (scaled / scaled.sum(1, keepdim=True)).amax(1).argsort()
        assert torch.all(found[order].diff() >= -1e-6)
        assert torch.all((found >= 0.0) & (found <= 1.0))


@pytest.mark.parametrize("number", [1, 3])
def test_predictions_without_a_spread_have_full_weight(number) -> None:
    weights = weights_of(momentum=0.0)
    alike = torch.tensor([[0.7, 0.2, 0.1]]).repeat(number, 1)
    torch.testing.assert_close(weights.weigh(alike), torch.ones(number))


def test_a_loaded_state_goes_on_bit_by_bit() -> None:
    first, again, file = weights_of(), weights_of(), io.BytesIO()
    first.weigh(PREDICTED)
    torch.save(first.state_dict(), file)
    file.seek(0)
    again.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(first.weigh(PREDICTED.flip(1)), again.weigh(PREDICTED.flip(1)))
    assert first.state_dict()["mean"] == again.state_dict()["mean"]


@pytest.mark.parametrize("flip", [False, True])
def test_strong_views_learn_the_classes_of_weak_ones_by_weight(toy, flip) -> None:
    method, images = toy.method("softmatch", flip=flip), toy.unlabelled().next()
    method.network.train()
    narrow = {"mean": 0.9, "variance": 0.05, "frequencies": torch.full((3,), 1 / 3)}
    weights = SoftWeights(SoftWeighting(flip=flip))
    weights.load_state_dict(narrow)
    replayed = torch.Generator()
    replayed.set_state(method.generator.get_state())
    found = soft_match_loss(method, images, "target", weights)

    with torch.no_grad():
        guessed = method.logits(weak(images, replayed, flip=flip), "target")
    logits = method.logits(strong(images, replayed, flip=flip), "target")
    again = SoftWeights(SoftWeighting(flip=flip))
    again.load_state_dict(narrow)
    shares = again.weigh(guessed.softmax(1))
    assert 0.0 < float(shares.min()) < float(shares.max()) < 1.0
    losses = functional.cross_entropy(logits, guessed.argmax(1), reduction="none")
    torch.testing.assert_close(found, (shares * losses).mean())


def test_running_statistics_are_left_alone(toy) -> None:
    method = toy.method("softmatch")
    before = {name: value.clone() for name, value in method.network.named_buffers()}
    method.network.train()
    soft_match_loss(method, toy.unlabelled().next(), "target", weights_of())
    for name, value in method.network.named_buffers():
        assert torch.equal(value, before[name])
