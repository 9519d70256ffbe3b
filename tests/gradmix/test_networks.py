"""The digit network: its shape, its heads, and the order of pooling and ReLU."""

import pytest
import torch
from torch import nn

from gradmix.networks import DigitNetwork, DigitNetworkConfig


def test_pooling_before_relu_equals_relu_before_pooling_exactly() -> None:
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    pool, relu = nn.MaxPool2d(2), nn.ReLU()
    assert torch.equal(relu(pool(x)), pool(relu(x)))


def test_the_whole_network_equals_its_textbook_order(toy) -> None:
    network, batch = toy.network(), toy.batches()[0][0]
    x, modules = batch.images, list(network.features)
    with torch.no_grad():
        for conv, norm, pool, relu in zip(*[iter(modules)] * 4, strict=True):
            assert (type(pool), type(relu)) == (nn.MaxPool2d, nn.ReLU)
            x = pool(torch.relu(norm(conv(x))))
        hidden = torch.relu(network.hidden(x.flatten(1)))
        expected = network.heads["far"](hidden)
        assert torch.equal(network(batch.images, "far"), expected)


@pytest.mark.parametrize(("norm", "bias", "norms"), [("batch", False, 4), ("none", True, 0)])
def test_a_convolution_has_a_bias_only_where_no_norm_follows(toy, norm, bias, norms) -> None:
    modules = list(toy.network(norm=norm).features)
    convolutions = [m for m in modules if isinstance(m, nn.Conv2d)]
    assert [(m.bias is not None) for m in convolutions] == [bias] * 4
    assert [m.out_channels for m in convolutions] == [4, 4, 8, 8]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in modules) == norms


@pytest.mark.parametrize(("size", "channels"), [(16, 1), (32, 3), (48, 1)])
def test_logits_have_one_column_per_class_of_the_head(size, channels) -> None:
    config = DigitNetworkConfig(widths=(2, 2, 2, 3), hidden=5)
    network = DigitNetwork(config, {"target": 4, "far": 2}, channels, size)
    x = torch.zeros(3, channels, size, size)
    assert network(x, "target").shape == (3, 4)
    assert network(x, "far").shape == (3, 2)


@pytest.mark.parametrize("size", [0, 8, 17, 40])
def test_an_image_that_four_poolings_do_not_divide_is_refused(size) -> None:
    with pytest.raises(ValueError, match=f"multiple of 16, found {size}"):
        DigitNetwork(DigitNetworkConfig(), {"target": 2}, image_size=size)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"widths": (8, 8, 0, 8)}, "at least 1"),
        ({"hidden": 0}, "at least 1"),
        ({"widths": (8, 8)}, "4 convolution widths, found 2"),
        ({"norm": "layer"}, "batch, none. Found 'layer'"),
    ],
)
def test_impossible_settings_are_refused(settings, found) -> None:
    with pytest.raises(ValueError, match=found):
        DigitNetworkConfig(**settings)
