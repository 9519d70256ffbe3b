"""Joint training with FixMatch: what it adds to the step, and invalid settings."""

import pytest
import torch

from gradmix.declarations.methods.fixmatch import FixMatchConfig


@pytest.mark.parametrize("setting", [{"unlabelled_weight": 0.0, "threshold": 0.0}, {}])
def test_without_weight_or_a_confident_guess_the_step_is_that_of_joint(toy, setting) -> None:
    mine, joint = toy.method("fixmatch", **setting), toy.method("joint")
    mine.update(*toy.batches(), toy.unlabelled().next())
    joint.update(*toy.batches())
    torch.testing.assert_close(mine.flat.vector, joint.flat.vector)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_an_impossible_threshold_is_refused(threshold) -> None:
    with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\], found"):
        FixMatchConfig(threshold=threshold)
