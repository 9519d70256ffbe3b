"""GradMix with SoftMatch: its control's loss, mixed."""

import pytest
import torch

from gradmix.declarations.methods.gradmix_softmatch import GradMixSoftMatchConfig


def test_the_loss_on_u_is_that_of_the_control(toy) -> None:
    mine, control = toy.method("gradmix_softmatch"), toy.method("softmatch")
    images, (sources, target) = toy.unlabelled().next(), toy.batches()
    found = mine.update(sources, target, images)["loss/U"]
    assert found == control.update(sources, target, images)["loss/U"]
    assert found > 0.0
    assert mine.weights.mean == control.weights.mean


def test_its_gradient_is_mixed_like_a_source(toy) -> None:
    method = toy.method("gradmix_softmatch")
    figures = method.update(*toy.batches(), toy.unlabelled().next())
    assert method.mixed == ("near", "far", "U")
    assert float(method.flat.gradients[2].abs().sum()) > 0.0
    assert "weight/hidden/U" in figures


def test_without_weight_and_added_the_step_is_that_of_gradmix(toy) -> None:
    settings = {"unlabelled_weight": 0.0, "unlabelled_term": "added"}
    mine, plain = toy.method("gradmix_softmatch", **settings), toy.method("gradmix")
    mine.update(*toy.batches(), toy.unlabelled().next())
    plain.update(*toy.batches())
    torch.testing.assert_close(mine.flat.vector, plain.flat.vector)


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ({"ema_momentum": float("nan")}, r"ema_momentum must be in \[0, 1\), found nan"),
        ({"deviations": -2.0}, "deviations must be positive, found -2.0"),
        ({"beta": -1.0}, "beta must not be negative, found -1.0"),
    ],
)
def test_an_impossible_setting_is_refused(setting, found) -> None:
    with pytest.raises(ValueError, match=found):
        GradMixSoftMatchConfig(**setting)
