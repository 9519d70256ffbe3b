"""DoGE: scores, the running weights, and the direction of the step."""

import math

import pytest
import torch

from gradmix.declarations.methods.doge import DoGEConfig
from gradmix.methods.doge import reweighed


def with_gradients(toy, *rows, **settings):
    """A method with one source per row except the last, and these as leading gradients."""
    sources = tuple(f"S{i}" for i in range(len(rows) - 1))
    method = toy.method("doge", sources=sources, **settings)
    for row, values in enumerate(rows):
        method.flat.gradients[row, : len(values)] = torch.tensor(values)
    return method


def test_weights_grow_by_the_exponential_of_their_score() -> None:
    assert reweighed([0.5, 0.5], [1.0, 0.0], math.log(2.0)) == pytest.approx([2 / 3, 1 / 3])
    assert reweighed([0.2, 0.8], [3.0, 3.0], 7.0) == pytest.approx([0.2, 0.8])
    assert reweighed([0.5, 0.5], [1e4, 0.0], 1.0) == [1.0, 0.0]


def test_gradients_are_clipped_to_one_length(toy) -> None:
    method = with_gradients(toy, [3.0, 4.0], [0.3, 0.4], [0.0, 10.0])
    method.clip()
    expected = torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 1.0]])
    torch.testing.assert_close(method.flat.gradients[:, :2], expected)


def test_a_score_is_the_dot_product_with_v_over_the_sources_mean_length(toy) -> None:
    """Lengths 1 and .5, mean .75: (.6 * 0 + .8 * 1) / .75 and .4 / .75; against V it is 0."""
    method = with_gradients(toy, [0.6, 0.8], [0.3, 0.4], [0.0, 1.0])
    assert method.scores() == pytest.approx([0.8 / 0.75, 0.4 / 0.75])
    against = with_gradients(toy, [0.6, 0.8], [0.3, -0.4], [0.0, 1.0], best=0.5)
    assert against.scores() == pytest.approx([0.5, 0.0])


def test_the_step_is_along_the_weighted_sum_of_clipped_gradients(toy) -> None:
    method = toy.method("doge", v_trains_head=False)
    figures = method.update(*toy.batches())
    flat = method.flat
    assert torch.all(flat.gradients.norm(dim=1) <= 1.0 + 1e-6)
    weights = torch.tensor([figures["weight/near"], figures["weight/far"]])
    torch.testing.assert_close(flat.gradient, weights @ flat.gradients[:2])


def test_v_trains_the_head_alone(toy) -> None:
    with_v, without = toy.method("doge"), toy.method("doge", v_trains_head=False)
    for method in (with_v, without):
        method.update(*toy.batches())
    flat = with_v.flat
    added = flat.gradient - without.flat.gradient
    assert not added[: flat.heads.start].any()
    torch.testing.assert_close(added[flat.heads], flat.gradients[2, flat.heads])


def test_a_source_that_serves_v_gains_at_every_step(toy) -> None:
    """V in the place of a source has the best possible score."""
    method = toy.method("doge", weight_rate=0.5)
    (_, other), target = toy.batches()
    found = [method.update([target, other], target)["weight/near"] for _ in range(4)]
    assert [0.5, *found] == sorted([0.5, *found])
    assert found[-1] > 0.6
    assert sum(method.weights) == pytest.approx(1.0)


def test_the_weights_follow_the_schedule(toy) -> None:
    method = toy.method("doge")
    method.pace = 0.0
    assert method.update(*toy.batches())["weight/near"] == 0.5


def test_weights_are_part_of_the_state(toy) -> None:
    method, again = toy.method("doge"), toy.method("doge")
    method.update(*toy.batches())
    again.load_state_dict(method.state_dict())
    assert again.weights == method.weights != [0.5, 0.5]


@pytest.mark.parametrize("field", ["weight_rate", "longest", "best"])
def test_numbers_that_are_not_positive_are_refused(field) -> None:
    with pytest.raises(ValueError, match=f"{field} must be positive, found 0.0"):
        DoGEConfig(**{field: 0.0})
