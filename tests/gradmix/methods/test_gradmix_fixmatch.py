"""GradMix with FixMatch: its control's loss, mixed."""

import pytest
import torch

from gradmix.declarations.methods.gradmix_fixmatch import GradMixFixMatchConfig


def test_the_loss_on_u_is_that_of_the_control(toy) -> None:
    mine, control = (toy.method(name, threshold=0.36) for name in ("gradmix_fixmatch", "fixmatch"))
    images, (sources, target) = toy.unlabelled().next(), toy.batches()
    found = mine.update(sources, target, images)["loss/U"]
    assert found == control.update(sources, target, images)["loss/U"]
    assert found > 0.0


def test_the_first_steps_are_those_of_gradmix_as_no_guess_is_confident(toy) -> None:
    mine, plain = toy.method("gradmix_fixmatch"), toy.method("gradmix")
    figures = mine.update(*toy.batches(), toy.unlabelled().next())
    plain.update(*toy.batches())
    assert figures["loss/U"] == 0.0
    torch.testing.assert_close(mine.flat.vector, plain.flat.vector)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_an_impossible_threshold_is_refused(threshold) -> None:
    with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\], found"):
        GradMixFixMatchConfig(threshold=threshold)
