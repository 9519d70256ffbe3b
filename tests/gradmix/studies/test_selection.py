"""Selections on smaller hyper-validation sets."""

import pytest
import torch

from gradmix.studies.selection import selection_by_size


def study(right, losses=None, values=(0.1, 0.9), sizes=(1,), selections=400, seed=0):
    right = torch.tensor(right, dtype=torch.bool)
    losses = (~right).double() if losses is None else torch.tensor(losses)
    return selection_by_size(right, losses, values, sizes, selections, seed)


def test_the_whole_set_selects_the_best_once():
    right = [[True, True, False, False], [True, True, True, False]]
    (whole,) = study(right, sizes=(4,))
    assert (whole.size, whole.selections, whole.mean, whole.deviation) == (4, 1, 0.9, 0.0)


def test_a_sample_selects_whoever_is_right_on_it():
    # The first model is right on a quarter of the samples, where the second is wrong.
    right = [[True, False, False, False], [False, True, True, True]]
    (one,) = study(right)
    assert one.mean == pytest.approx(0.1 * 0.25 + 0.9 * 0.75, abs=0.06)
    # A draw of values .1 and .9 with chance 1/4: sd .8 sqrt(3)/4.
    assert one.deviation == pytest.approx(0.8 * 3**0.5 / 4, abs=0.04)


def test_larger_sets_select_better():
    generator = torch.Generator().manual_seed(0)
    right = torch.rand(2, 200, generator=generator) < torch.tensor([[0.6], [0.75]])
    found = study(right.tolist(), sizes=(1, 10, 100))
    assert found[0].mean < found[1].mean < found[2].mean


def test_ties_go_to_the_lower_loss_then_to_the_first():
    right = [[True, True], [True, True]]
    assert study(right, [[0.5, 0.5], [0.1, 0.1]], sizes=(2,))[0].mean == 0.9
    assert study(right, [[0.1, 0.1], [0.5, 0.5]], sizes=(2,))[0].mean == 0.1
    assert study(right, [[0.1, 0.1], [0.1, 0.1]], sizes=(2,))[0].mean == 0.1


def test_the_same_seed_draws_the_same_subsets_and_another_others():
    right = (torch.rand(3, 50, generator=torch.Generator().manual_seed(1)) < 0.5).tolist()
    values = (0.2, 0.5, 0.7)
    assert study(right, values=values, sizes=(5,)) == study(right, values=values, sizes=(5,))
    assert study(right, values=values, sizes=(5,)) != study(
        right, values=values, sizes=(5,), seed=1
    )


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"sizes": (0,)}, r"sizes must be between 1 and 2, found \[0\]"),
        ({"sizes": (3,)}, r"sizes must be between 1 and 2, found \[3\]"),
        ({"selections": 1}, "selections must be at least 2, found 1"),
    ],
)
def test_impossible_subsets_are_refused(given, found):
    with pytest.raises(ValueError, match=found):
        study([[True, True], [True, True]], **given)
