"""UPGrad: the step raises no loss, including V's."""

import pytest
import torch

from gradmix.declarations.methods.upgrad import UPGradConfig
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.solving.conflicts import upgrad


@pytest.mark.parametrize("grouping", ["model", "layer"])
def test_the_trunks_step_raises_no_loss_and_heads_get_plain_sums(toy, grouping) -> None:
    method = toy.method("upgrad", grouping=grouping)
    figures = method.update(*toy.batches())
    flat = method.flat
    for segment, layer in zip(flat.segments, flat.layer_names, strict=True):
        rows, mixed = flat.gradients[:, segment], flat.gradient[segment]
        lengths = rows.norm(dim=1)
        assert torch.all(rows @ mixed >= -1e-5 * lengths * lengths.max())
        weights = upgrad((rows @ rows.T).double().tolist())
        torch.testing.assert_close(mixed, torch.tensor(weights) @ rows, rtol=1e-4, atol=1e-6)
        assert figures[f"weight/{layer}/V"] == pytest.approx(weights[2])
    torch.testing.assert_close(flat.gradient[flat.heads], flat.gradients[:, flat.heads].sum(0))


def test_the_whole_trunk_shares_its_weights_by_default(toy) -> None:
    assert toy.method("upgrad").flat.layer_names == ("trunk",)


def test_tasks_that_agree_are_averaged(toy) -> None:
    """V in the place of both sources: three equal gradients have themselves as their mean."""
    method = toy.method("upgrad", sources=("near", "again"))
    _, target = toy.batches()
    method.update([target, target], target)
    trunk = method.flat.segments[0]
    torch.testing.assert_close(method.flat.gradient[trunk], method.flat.gradients[2, trunk])


def test_v_takes_part_where_gradmix_only_lets_it_steer(toy) -> None:
    method = toy.method("upgrad", optimiser=OptimiserConfig(momentum=0.0))
    figures = method.update(*toy.batches())
    assert figures["weight/trunk/V"] >= 1 / 3 - 1e-6


def test_a_gradient_that_is_not_finite_is_named(toy) -> None:
    method = toy.method("upgrad")
    method.flat.gradients[2, 0] = torch.inf
    with pytest.raises(
        FloatingPointError, match="gradient of V in layer trunk contains NaN or Inf"
    ):
        method.weights()


def test_an_unknown_grouping_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"grouping must be one of layer, tensor, model\. Found 'network'"
    ):
        UPGradConfig(grouping="network")  # type: ignore[arg-type]
