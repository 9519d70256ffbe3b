"""Joint training with SoftMatch: what it adds to the step, and invalid settings."""

import pytest
import torch

from gradmix.declarations.methods.softmatch import SoftMatchConfig


def test_without_weight_the_step_is_that_of_joint(toy) -> None:
    mine, joint = toy.method("softmatch", unlabelled_weight=0.0), toy.method("joint")
    for _ in range(3):
        mine.update(*toy.batches(), toy.unlabelled().next())
        joint.update(*toy.batches())
    torch.testing.assert_close(mine.flat.vector, joint.flat.vector)


@pytest.mark.parametrize("weight", [1.0, 2.5])
def test_the_loss_on_u_is_added_with_its_weight(toy, weight) -> None:
    method, joint = toy.method("softmatch", unlabelled_weight=weight), toy.method("joint")
    images, (sources, target) = toy.unlabelled().next(), toy.batches()
    figures = method.update(sources, target, images)
    joint.update(sources, target)

    alone = toy.method("softmatch")
    alone.network.train()
    alone.flat.zero()
    alone.flat.collect_in(0)
    value = alone.unlabelled_loss(images, target)
    value.backward()
    alone.flat.set_sum()
    assert figures["loss/U"] == pytest.approx(float(value.detach()))
    expected = joint.flat.gradient + weight * alone.flat.gradient
    torch.testing.assert_close(method.flat.gradient, expected, atol=1e-6, rtol=1e-4)


def test_the_running_averages_are_part_of_the_state(toy) -> None:
    method, again = toy.method("softmatch"), toy.method("softmatch")
    method.update(*toy.batches(), toy.unlabelled().next())
    again.load_state_dict(method.state_dict())
    assert again.weights.mean == method.weights.mean != 0.0
    assert again.weights.variance == method.weights.variance < 1.0
    assert torch.equal(again.weights.frequencies, method.weights.frequencies)


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ({"ema_momentum": 1.0}, r"ema_momentum must be in \[0, 1\), found 1.0"),
        ({"ema_momentum": -0.1}, r"ema_momentum must be in \[0, 1\), found -0.1"),
        ({"deviations": 0.0}, "deviations must be positive, found 0.0"),
        ({"unlabelled_weight": -1.0}, "unlabelled_weight must not be negative, found -1.0"),
    ],
)
def test_an_impossible_setting_is_refused(setting, found) -> None:
    with pytest.raises(ValueError, match=found):
        SoftMatchConfig(**setting)
