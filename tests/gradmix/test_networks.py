"""Networks: arbitrary trunks, their heads, and the order of pooling and ReLU."""

import pytest
import torch
from torch import nn

from gradmix.declarations.trunk import ConvTrunkConfig
from gradmix.networks import ConvTrunk, Dropout, LinearHead, Network, drawn_linear, pooled, predict
from gradmix.normalisation import normalise


def test_pooling_before_relu_equals_relu_before_pooling_exactly() -> None:
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    pool, relu = nn.MaxPool2d(2), nn.ReLU()
    assert torch.equal(relu(pool(x)), pool(relu(x)))


def test_the_whole_network_equals_its_textbook_order(toy) -> None:
    network, batch = toy.network(), toy.batches()[0][0]
    x, modules = batch.images, list(network.trunk.features)
    with torch.no_grad():
        for conv, norm, pool, relu in zip(*[iter(modules)] * 4, strict=True):
            assert (type(pool), type(relu)) == (nn.MaxPool2d, nn.ReLU)
            x = pool(torch.relu(norm(conv(x))))
        hidden = torch.relu(network.trunk.hidden(x.flatten(1)))
        expected = network.heads["far"](hidden)
        assert torch.equal(network(batch.images, "far"), expected)


@pytest.mark.parametrize(("norm", "bias", "norms"), [("batch", False, 4), ("none", True, 0)])
def test_a_convolution_has_a_bias_only_where_no_norm_follows(toy, norm, bias, norms) -> None:
    modules = list(toy.network(norm=norm).trunk.features)
    convolutions = [m for m in modules if isinstance(m, nn.Conv2d)]
    assert [(m.bias is not None) for m in convolutions] == [bias] * 4
    assert [m.out_channels for m in convolutions] == [4, 4, 8, 8]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in modules) == norms


@pytest.mark.parametrize(("size", "channels"), [(16, 1), (32, 3), (48, 1)])
def test_logits_have_one_column_per_class_of_the_head(size, channels) -> None:
    shape = (channels, size, size)
    trunk = ConvTrunk(ConvTrunkConfig(widths=(2, 2, 2, 3), hidden=5), shape)
    network = Network(trunk, {"target": 4, "far": 2}, shape)
    x = torch.zeros(3, channels, size, size)
    assert network(x, "target").shape == (3, 4)
    assert network(x, "far").shape == (3, 2)


@pytest.mark.parametrize("size", [0, 8, 17, 40])
def test_an_image_that_four_poolings_do_not_divide_is_refused(size) -> None:
    with pytest.raises(ValueError, match=f"multiples of 16, found {size} x 32"):
        ConvTrunk(ConvTrunkConfig(), (1, size, 32))


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"widths": (8, 8, 0, 8)}, "at least 1"),
        ({"hidden": -1}, "hidden must not be negative, found -1"),
        ({"widths": (8, 8)}, "widths must be 4 numbers, found 2"),
        ({"norm": "layer"}, "batch, none. Found 'layer'"),
    ],
)
def test_impossible_settings_are_refused(settings, found) -> None:
    with pytest.raises(ValueError, match=found):
        ConvTrunkConfig(**settings)


def test_a_trunk_without_a_hidden_layer_ends_in_a_map_that_is_averaged() -> None:
    shape = (3, 32, 48)
    network = Network(ConvTrunk(ConvTrunkConfig(hidden=0), shape), {"target": 2}, shape).eval()
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(1))
    features = network.feature_map(x)
    assert features.shape == (4, 64, 2, 3)
    assert network.ends_in == (64, 2, 3)
    torch.testing.assert_close(network.embed(x), features.flatten(2).mean(2))
    assert torch.equal(network(x, "target"), network.heads["target"](network.embed(x)))


def test_features_without_a_place_have_no_map(toy) -> None:
    network = toy.network()
    assert network.ends_in == (16,)
    with pytest.raises(ValueError, match=r"map \[F, h, w\], found \[16\]; .*hidden = 0\)\.$"):
        network.feature_map(torch.zeros(1, 1, 16, 16))
    features = torch.ones(2, 5)
    assert pooled(features) is features


def test_a_head_reads_what_the_trunk_ends_in_and_averages_a_map_itself(toy) -> None:
    network, x = toy.map_network(), toy.batches()[1].images
    seen = []
    network.heads["far"].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    network(x, "far")
    assert seen[0].shape == (len(x), 8, 2, 2)

    head = LinearHead(8, 3)
    logits = head(seen[0])
    expected = seen[0].mean((2, 3)) @ head.weight.T + head.bias
    torch.testing.assert_close(logits, expected)
    assert torch.equal(head(pooled(seen[0])), logits)
    assert {name for name, _ in head.named_parameters()} == {"weight", "bias"}


def test_a_linear_layer_can_be_drawn_from_a_generator_of_ones_own() -> None:
    state = torch.get_rng_state()
    first, again = (drawn_linear(16, 50, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    for parameter, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(parameter, other)
        # Uniform within 1 / sqrt(inputs), on both sides of zero.
        assert -0.25 <= parameter.min() < -0.2
        assert 0.2 < parameter.max() <= 0.25


def test_any_module_is_a_trunk_if_it_ends_before_its_classifier() -> None:
    network = Network(nn.Sequential(nn.Flatten(), nn.Linear(12, 7)), {"target": 3}, (3, 2, 2))
    assert network(torch.zeros(5, 3, 2, 2), "target").shape == (5, 3)
    with pytest.raises(ValueError, match=r"found \[1, 3, 4\]; end it before"):
        Network(nn.Flatten(2), {"target": 3}, (3, 2, 2))


def test_a_look_at_the_trunk_changes_neither_its_statistics_nor_the_generator() -> None:
    trunk = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    torch.manual_seed(3)
    Network(trunk, {"target": 2}, (1, 8, 8))
    torch.manual_seed(3)
    fresh = nn.Linear(4, 2)
    torch.manual_seed(3)
    head = Network(trunk, {"target": 2}, (1, 8, 8)).heads["target"]
    assert torch.equal(head.weight, fresh.weight)
    assert trunk.training
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


@pytest.mark.parametrize("kind", ["image", "imagenet", "none"])
def test_prediction_normalises_as_the_network_says(kind) -> None:
    images = torch.randint(0, 256, (4, 16, 16, 3), dtype=torch.uint8)
    shape = (3, 16, 16)
    trunk = ConvTrunk(ConvTrunkConfig(widths=(2, 2, 2, 2), norm="none"), shape)
    network = Network(trunk, {"target": 2}, shape, kind)
    expected = network(normalise(images, kind), "target")
    torch.testing.assert_close(predict(network, images), expected)


@pytest.mark.parametrize("of_map", [False, True])
def test_dropout_leaves_out_whole_features_of_each_image_and_scales_up_the_rest(of_map) -> None:
    drop = Dropout(0.25)
    found = torch.ones(400, 50, *((3, 2) if of_map else ()))
    assert torch.equal(drop.eval()(found), found)
    torch.manual_seed(1)
    dropped = drop.train()(found)
    assert dropped.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
    if of_map:
        assert torch.equal(dropped, dropped[..., :1, :1].expand_as(dropped))
    torch.manual_seed(1)
    assert torch.equal(drop(found), dropped)


def test_without_dropout_no_random_number_is_drawn(toy) -> None:
    before = torch.get_rng_state()
    toy.network().train()(toy.batches()[1].images, "target")
    assert torch.equal(torch.get_rng_state(), before)


def test_an_impossible_dropout_is_refused(toy) -> None:
    with pytest.raises(ValueError, match=r"dropout must be in \[0, 1\), found 1"):
        toy.network(dropout=1)
