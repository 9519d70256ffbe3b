"""Losses against hand-computed values; the two directions of the divergence differ."""

import math

import pytest
import torch
from torch.nn import functional

from gradmix.losses import SMALLEST_PROBABILITY, hard_loss, loss, mean_entropy, soft_loss

# softmax of (log 3, 0) is (3/4, 1/4).
LOGITS = torch.tensor([[math.log(3.0), 0.0]])
HALF = torch.tensor([[0.5, 0.5]])


def test_hard_loss_is_the_mean_negative_log_probability() -> None:
    logits = LOGITS.repeat(2, 1)
    # (ln 4/3 + ln 4) / 2.
    assert hard_loss(logits, torch.tensor([0, 1])).item() == pytest.approx(
        (math.log(4 / 3) + math.log(4)) / 2
    )


def test_soft_loss_is_the_divergence_of_the_prediction_from_the_label() -> None:
    # D(p || y) = 3/4 ln(3/2) + 1/4 ln(1/2) = 0.13081.
    assert soft_loss(LOGITS, HALF).item() == pytest.approx(0.130812, abs=1e-6)


def test_the_forward_direction_is_the_divergence_of_the_label_from_the_prediction() -> None:
    # D(y || p) = 1/2 ln(2/3) + 1/2 ln 2 = 0.14384.
    assert soft_loss(LOGITS, HALF, "forward").item() == pytest.approx(0.143841, abs=1e-6)


@pytest.mark.parametrize("direction", ["reverse", "forward"])
def test_soft_loss_is_zero_where_prediction_and_label_agree(direction) -> None:
    soft = torch.tensor([[0.75, 0.25]])
    assert soft_loss(LOGITS, soft, direction).item() == pytest.approx(0.0, abs=1e-6)


def test_soft_loss_is_a_mean_over_the_batch() -> None:
    both = soft_loss(LOGITS.repeat(2, 1), torch.tensor([[0.5, 0.5], [0.75, 0.25]]))
    assert both.item() == pytest.approx(0.130812 / 2, abs=1e-6)


def test_the_forward_loss_of_a_one_hot_label_is_the_hard_loss() -> None:
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 2, 1, 1, 0])
    one_hot = functional.one_hot(labels, 3).float()
    torch.testing.assert_close(soft_loss(logits, one_hot, "forward"), hard_loss(logits, labels))


def test_the_reverse_loss_of_a_one_hot_label_is_finite_and_pulls_towards_it() -> None:
    logits = LOGITS.clone().requires_grad_()
    value = soft_loss(logits, torch.tensor([[0.0, 1.0]]))
    # 3/4 ln(3/4 / 1e-6) + 1/4 ln(1/4).
    expected = 0.75 * math.log(0.75 / SMALLEST_PROBABILITY) + 0.25 * math.log(0.25)
    assert value.item() == pytest.approx(expected, rel=1e-5)
    value.backward()
    assert logits.grad[0, 0] > 0 > logits.grad[0, 1], "descent lowers the wrong logit"


def test_the_kind_of_label_decides_the_loss() -> None:
    assert torch.equal(loss(LOGITS, torch.tensor([1])), hard_loss(LOGITS, torch.tensor([1])))
    assert torch.equal(loss(LOGITS, HALF), soft_loss(LOGITS, HALF, "reverse"))
    assert not torch.equal(loss(LOGITS, HALF), soft_loss(LOGITS, HALF, "forward"))


def test_an_unknown_direction_is_refused() -> None:
    with pytest.raises(ValueError, match=r"reverse, forward\. Found 'both'"):
        soft_loss(LOGITS, HALF, "both")


def test_mean_entropy_is_that_of_the_predictions_and_has_their_gradient() -> None:
    probabilities = torch.tensor([[0.5, 0.25, 0.25], [1.0 / 3] * 3], dtype=torch.float64)
    logits = probabilities.log().requires_grad_()
    value = mean_entropy(logits)
    assert value.item() == pytest.approx((1.5 * math.log(2) + math.log(3)) / 2)
    value.backward()
    # d H / d z_i = -p_i (log p_i + H), of which the mean over two samples is taken.
    entropies = torch.tensor([[1.5 * math.log(2)], [math.log(3)]], dtype=torch.float64)
    expected = -probabilities * (probabilities.log() + entropies) / 2
    torch.testing.assert_close(logits.grad, expected)
