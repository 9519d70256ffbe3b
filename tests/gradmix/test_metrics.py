"""Scores over sets for any batch size, and over clips."""

import math

import pytest
import torch

from gradmix.metrics import Score, disagreement, probabilities, right_clips, score
from gradmix.sampling import ImageRows

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


def test_rows_of_a_larger_set_are_scored_like_a_set_of_their_own() -> None:
    rows = torch.tensor([2, 1])
    found = score(as_they_are, ImageRows(LOGITS, rows), LABELS[rows], 1)
    assert found == score(as_they_are, LOGITS[rows], LABELS[rows], 1)
    assert torch.equal(probabilities(as_they_are, ImageRows(LOGITS, rows)), LOGITS[rows].softmax(1))


# Clip 7 has three frames of class 0, clip 2 two of class 1, clip 9 one of class 1.
CLIP = torch.tensor([7, 2, 7, 9, 2, 7])
OF_CLIP = torch.tensor([0, 1, 0, 1, 1, 0])
FRAMES = torch.tensor([[0.4, 0.6], [0.1, 0.9], [0.45, 0.55], [0.8, 0.2], [0.6, 0.4], [0.9, 0.1]])


def test_a_clip_has_the_class_of_its_mean_prediction_not_of_most_frames() -> None:
    # Clip 7: (0.4 + 0.45 + 0.9) / 3 = 0.583 for class 0, though two of three frames say 1; clip 2:
    # 0.35 for class 0, so class 1; clip 9 is wrong.
    assert right_clips(FRAMES, OF_CLIP, CLIP).tolist() == [True, True, False]
    assert float((FRAMES.argmax(1) == OF_CLIP).double().mean()) == pytest.approx(2 / 6)


def test_the_order_and_the_numbers_of_clips_do_not_matter() -> None:
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    found = right_clips(FRAMES[order], OF_CLIP[order], 10 * CLIP[order])
    assert found.tolist() == [True, True, False]


def test_clips_of_one_frame_are_scored_like_frames() -> None:
    found = right_clips(FRAMES, OF_CLIP, torch.arange(6))
    assert torch.equal(found, FRAMES.argmax(1) == OF_CLIP)


def test_clips_disagree_where_any_frame_differs() -> None:
    # Of the two clips with several frames, both: [1, 1, 0] and [1, 0]; clip 9 does not count.
    assert disagreement(FRAMES.argmax(1), CLIP) == 1.0
    assert disagreement(torch.tensor([0, 1, 0, 0, 1, 0]), CLIP) == 0.0
    assert disagreement(torch.tensor([0, 1, 0, 0, 2, 0]), CLIP) == 0.5
    assert disagreement(torch.tensor([0, 1]), torch.tensor([4, 5])) == 0.0
