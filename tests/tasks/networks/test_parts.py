"""A trunk in two: what of it is frozen, and what is trained."""

import pytest
import torch
from torch import nn

from gradmix.grouping import trunk_layers
from gradmix.networks import Network
from tasks.errors import StageError
from tasks.networks.declared import TRUNKS
from tasks.networks.parts import Features, Reweighted, frozen_part, parted, trained_part
from tasks.networks.trunks import build_trunk

SHAPE = (3, 64, 64)
CONVNET = {"widths": [4, 4, 4, 6], "hidden": 0, "norm": "batch"}


def trunk_of(name: str) -> nn.Module:
    return build_trunk({"trunk": name, "settings": CONVNET if name == "convnet" else {}}, SHAPE)


@pytest.mark.parametrize("name", sorted(TRUNKS))
def test_a_trunk_cut_in_two_is_the_same_trunk(name) -> None:
    trunk = trunk_of(name).eval()
    if name == "convnet":
        trunk = trunk.features
    names = [part for part, _ in trunk.named_children()]
    first, rest = parted(trunk, names[2])
    x = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(rest(first(x)), trunk(x))
    assert [part for part, _ in first.named_children()] == names[:3]


@pytest.mark.parametrize(("last", "found"), [("layer4", "'layer4'"), ("layer9", "'layer9'")])
def test_only_a_part_with_something_after_it_can_be_the_last_frozen_one(last, found) -> None:
    with pytest.raises(StageError, match=rf"conv1, .*, layer3\), found {found}; correct"):
        parted(trunk_of("resnet18"), last)


def test_a_trunk_that_is_no_sequence_cannot_be_frozen_in_part() -> None:
    with pytest.raises(StageError, match="found a trunk that is none"):
        parted(trunk_of("convnet"), "features")


def flat(frozen: str = "all", trunk: str = "resnet18") -> dict:
    return {"trunk": trunk, "settings": {}, "frozen": frozen}


def images(seed: int = 1) -> torch.Tensor:
    return torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(seed))


def test_of_a_trunk_that_is_all_frozen_its_pooled_features_are_kept() -> None:
    """Mean over space, then each image's features with mean 0 and length 4."""
    first = frozen_part(flat(), None, SHAPE)
    with torch.no_grad():
        pooled = first.trunk(images()).mean((2, 3))
        found = first(images())
    centred = pooled - pooled.mean(1, keepdim=True)
    expected = 4 * centred / centred.square().sum(1, keepdim=True).sqrt()
    assert found.shape == (2, 512, 1, 1)
    torch.testing.assert_close(found.flatten(1), expected)
    assert not first.training
    assert isinstance(first, Features)


def test_a_trunk_that_cannot_be_parted_can_be_frozen_whole() -> None:
    assert isinstance(trained_part(flat(trunk="convnet"), None, (128, 1, 1)), Reweighted)


def test_what_is_trained_on_kept_features_starts_as_a_linear_probe_and_stays_linear() -> None:
    network = Network(trained_part(flat(), None, (6, 1, 1)), {"target": 3}, (6, 1, 1))
    kept = torch.randn(5, 6, 1, 1, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(network.embed(kept), kept.flatten(1))
    with torch.no_grad():
        network.trunk.weight.add_(torch.arange(6.0))
        network.trunk.bias.add_(1.0)
        a, b = network(kept, "target"), network(2 * kept, "target")
        zero = network(torch.zeros_like(kept), "target")
    torch.testing.assert_close(b - zero, 2 * (a - zero))


def test_there_is_one_layer_to_mix_in_what_is_trained_on_kept_features() -> None:
    network = Network(trained_part(flat(), None, (6, 1, 1)), {"target": 3}, (6, 1, 1))
    (layer,) = trunk_layers(network)
    assert layer.parameters == ("trunk.weight", "trunk.bias")


def test_nothing_frozen_leaves_the_whole_trunk_to_train() -> None:
    whole = trained_part({**flat(""), "trunk": "convnet", "settings": CONVNET}, None, SHAPE)
    assert isinstance(whole, type(trunk_of("convnet")))
