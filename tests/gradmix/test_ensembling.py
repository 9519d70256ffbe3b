"""Selection of models and pseudo-labels, by hand-made cases."""

import pytest
import torch

from gradmix.ensembling import NOT_AGREED, enlarge, hard_labels, soft_labels
from gradmix.ranking import Candidate, select_top


def test_selection_is_by_accuracy_then_loss_then_cell_order() -> None:
    late = Candidate("late", 0.9, 0.30, 5)
    early = Candidate("early", 0.9, 0.30, 2)
    sharper = Candidate("sharper", 0.9, 0.20, 9)
    best = Candidate("best", 0.95, 0.90, 7)
    worst = Candidate("worst", 0.1, 0.01, 0)
    ranked = [best, sharper, early, late, worst]
    for r in range(1, 6):
        assert select_top([worst, late, sharper, best, early], r) == ranked[:r]


@pytest.mark.parametrize("r", [0, 3])
def test_selecting_more_than_there_are_or_none_is_refused(r) -> None:
    pair = [Candidate(name, 0.5, 1.0, 0) for name in "ab"]
    with pytest.raises(ValueError, match=f"between 1 and the 2 candidates, found {r}"):
        select_top(pair, r)


# Two models, five samples, three classes.
PROBABILITIES = torch.tensor(
    [
        [[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.1, 0.05, 0.85], [0.8, 0.2, 0.0]],
        [[0.81, 0.1, 0.09], [0.1, 0.9, 0.0], [0.7, 0.2, 0.1], [0.0, 0.0, 1.0], [0.9, 0.1, 0.0]],
    ]
)


def test_a_hard_label_needs_every_model_to_agree_above_the_threshold() -> None:
    labels, agreed = hard_labels(PROBABILITIES)
    # Agree; different classes; second model below .8; agree; first model exactly at .8.
    assert agreed.tolist() == [True, False, False, True, False]
    assert labels.tolist() == [0, NOT_AGREED, NOT_AGREED, 2, NOT_AGREED]


def test_a_lower_threshold_still_needs_agreement() -> None:
    labels, agreed = hard_labels(PROBABILITIES, threshold=0.0)
    assert labels.tolist() == [0, NOT_AGREED, 0, 2, 0]
    assert agreed.tolist() == [True, False, True, True, True]


def test_a_single_model_agrees_with_itself() -> None:
    labels, _ = hard_labels(PROBABILITIES[1:])
    assert labels.tolist() == [0, 1, NOT_AGREED, 2, 0]


def test_soft_labels_are_the_mean_over_models() -> None:
    soft = soft_labels(PROBABILITIES)
    assert soft[0].tolist() == pytest.approx([0.855, 0.1, 0.045])
    assert soft[1].tolist() == pytest.approx([0.5, 0.5, 0.0])
    torch.testing.assert_close(soft.sum(1), torch.ones(5))


@pytest.mark.parametrize("shape", [(5, 3), (0, 5, 3)])
def test_impossible_shapes_are_refused(shape) -> None:
    for make in (hard_labels, soft_labels):
        with pytest.raises(ValueError, match="R >= 1"):
            make(torch.zeros(shape))


@pytest.mark.parametrize("threshold", [-0.1, 1.0])
def test_a_threshold_that_nothing_or_everything_passes_is_refused(threshold) -> None:
    with pytest.raises(ValueError, match=f"found {threshold}"):
        hard_labels(PROBABILITIES, threshold)


LABELS = torch.tensor([0, 1, NOT_AGREED, 0, 2, 0, 1, NOT_AGREED, 0, 2])


def test_enlarging_fills_every_class_up_to_the_wanted_size() -> None:
    rows = enlarge(LABELS, torch.tensor([1, 1, 0]), per_class=3, seed=0)
    assert rows.tolist() == sorted(set(rows.tolist()))
    # Two of four for class 0, both of class 1, and class 2 has two where three are wanted.
    assert torch.bincount(LABELS[rows], minlength=3).tolist() == [2, 2, 2]


def test_enlarging_takes_nothing_where_v_is_large_enough() -> None:
    assert enlarge(LABELS, torch.tensor([3, 4, 9]), per_class=3, seed=0).tolist() == []


def test_enlarging_is_random_and_decided_by_the_seed() -> None:
    labels = torch.zeros(50, dtype=torch.int64)
    draws = [enlarge(labels, torch.tensor([0]), 5, seed).tolist() for seed in (0, 0, 1, 2)]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2] != draws[3]
    assert draws[0] != [0, 1, 2, 3, 4]


def test_enlarging_counts_clips_and_takes_all_their_frames_of_the_class() -> None:
    clips = torch.arange(6).repeat_interleave(10)
    labels = torch.zeros(60, dtype=torch.int64)
    labels[[0, 15, 16]], labels[20:30] = NOT_AGREED, 1
    # V has two clips of class 0; of its five clips here two are added, not two frames.
    rows = enlarge(labels, torch.tensor([2, 1]), 4, seed=3, clips=clips)
    found = {int(clip): int((clips[rows] == clip).sum()) for clip in clips[rows].unique()}
    of_class = {0: 9, 1: 8, 3: 10, 4: 10, 5: 10}
    assert found.pop(2) == 10
    assert len(found) == 2
    assert all(of_class[clip] == count for clip, count in found.items())
    assert (labels[rows] != NOT_AGREED).all()


def test_a_clip_with_frames_of_two_classes_gives_each_class_its_own() -> None:
    labels, clips = torch.tensor([0, 0, 1, NOT_AGREED]), torch.tensor([7, 7, 7, 7])
    assert enlarge(labels, torch.tensor([0, 0]), 1, 0, clips).tolist() == [0, 1, 2]
    assert enlarge(labels, torch.tensor([1, 0]), 1, 0, clips).tolist() == [2]


def test_rows_that_are_clips_of_their_own_are_drawn_as_rows() -> None:
    labels = torch.arange(40) % 2
    plain = enlarge(labels, torch.tensor([1, 2]), 5, 4)
    assert torch.equal(enlarge(labels, torch.tensor([1, 2]), 5, 4, torch.arange(40)), plain)


def test_enlarging_never_takes_a_sample_without_a_label() -> None:
    rows = enlarge(torch.full((4,), NOT_AGREED), torch.tensor([0, 0]), 5, 0)
    assert rows.tolist() == []
