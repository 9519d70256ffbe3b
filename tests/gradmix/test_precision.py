"""Trunk passes in half precision; everything else is unchanged."""

import pytest
import torch

from gradmix.declarations.training import TrainingConfig
from gradmix.training import train


def mixed(toy, precision: str):
    """A method that has mixed one mini-batch at the given precision."""
    method = toy.method("gradmix")
    method.network.precision = precision
    return method, method.mix(*toy.batches())


def test_half_precision_gives_nearly_the_same_gradients_in_single_precision(toy) -> None:
    (half, found), (single, expected) = mixed(toy, "bfloat16"), mixed(toy, "float32")
    assert half.flat.gradients.dtype == half.flat.vector.dtype == torch.float32
    assert half.flat.gram_tensor().dtype == torch.float64
    assert not torch.equal(half.flat.gradients, single.flat.gradients)
    for row, other in zip(half.flat.gradients, single.flat.gradients, strict=True):
        assert torch.cosine_similarity(row, other, dim=0) > 0.95
    assert found.losses == pytest.approx(expected.losses, rel=0.05)


def test_heads_and_losses_read_single_precision(toy) -> None:
    method, _ = mixed(toy, "bfloat16")
    seen = []
    for head in method.network.heads.values():
        head.register_forward_hook(lambda _, given, out: seen.append((given[0].dtype, out.dtype)))
    method.mix(*toy.batches())
    assert set(seen) == {(torch.float32, torch.float32)}


def test_prediction_is_in_single_precision(toy) -> None:
    images = toy.hyper_validation().images
    (half, _), (single, _) = mixed(toy, "bfloat16"), mixed(toy, "float32")
    half.network.load_state_dict(single.network.state_dict())
    assert torch.equal(half.predict(images), single.predict(images))


@pytest.mark.parametrize("name", ["gradmix", "gradmix_vat", "mme", "dctn", "mdda", "energynet"])
def test_methods_train_in_half_precision(toy, name) -> None:
    config = TrainingConfig(steps=4, validate_every=4, precision="bfloat16")
    method = toy.method(name)
    training = train(
        method, toy.streams(), toy.target(), toy.hyper_validation(), config,
        unlabelled=toy.unlabelled(),
    )  # fmt: skip
    assert method.network.precision == "bfloat16"
    assert torch.isfinite(method.flat.vector).all()
    assert training.curve[-1]["loss/V"] < 10.0 if "loss/V" in training.curve[-1] else True


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match=r"one of float32, bfloat16\. Found 'int8'"):
        TrainingConfig(precision="int8")
