"""Scores over sets, whatever the batch size."""

import math

import pytest
import torch

from gradmix.metrics import Score, probabilities, score

# The "images" are the logits themselves: softmax of (log 3, 0) is (3/4, 1/4).
LOGITS = torch.tensor([[math.log(3.0), 0.0], [0.0, math.log(3.0)], [math.log(3.0), 0.0]])
LABELS = torch.tensor([0, 0, 0])


def as_they_are(images: torch.Tensor) -> torch.Tensor:
    return images


@pytest.mark.parametrize("batch_size", [1, 2, 3, 256])
def test_accuracy_and_loss_are_means_over_samples(batch_size) -> None:
    found = score(as_they_are, LOGITS, LABELS, batch_size)
    # Two of three right; (2 ln 4/3 + ln 4) / 3.
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.loss == pytest.approx((2 * math.log(4 / 3) + math.log(4)) / 3)
    assert found.n == 3


def test_a_perfect_model_scores_one() -> None:
    assert score(as_they_are, 100 * LOGITS, LOGITS.argmax(1)) == Score(1.0, 0.0, 3)


@pytest.mark.parametrize("batch_size", [1, 2, 256])
def test_probabilities_keep_the_order_of_the_images(batch_size) -> None:
    found = probabilities(as_they_are, LOGITS, batch_size)
    assert found.tolist() == [
        pytest.approx(row) for row in ([0.75, 0.25], [0.25, 0.75], [0.75, 0.25])
    ]
