"""Which parameters form a layer, and which belong to the heads."""

import pytest
from torch import nn

from gradmix.grouping import Layer, trunk_layers


def test_a_layer_is_a_leaf_module_with_the_norm_behind_it(toy) -> None:
    layers = trunk_layers(toy.network())
    assert layers[0] == Layer(
        "features.0",
        ("trunk.features.0.weight", "trunk.features.1.weight", "trunk.features.1.bias"),
    )
    assert layers[-1] == Layer("hidden", ("trunk.hidden.weight", "trunk.hidden.bias"))
    assert len(layers) == 5, "the paper's L - 1 for the digit network"


def test_without_norms_a_layer_is_weight_and_bias(toy) -> None:
    layers = trunk_layers(toy.network(norm="none"))
    assert layers[0] == Layer("features.0", ("trunk.features.0.weight", "trunk.features.0.bias"))
    assert len(layers) == 5


@pytest.mark.parametrize("grouping", ["layer", "tensor", "model"])
def test_every_grouping_covers_the_trunk_once_and_no_head(toy, grouping) -> None:
    network = toy.network()
    grouped = [name for layer in trunk_layers(network, grouping) for name in layer.parameters]
    assert sorted(grouped) == sorted(
        name for name, _ in network.named_parameters() if not name.startswith("heads.")
    )


def test_tensor_and_model_are_the_two_extremes(toy) -> None:
    network = toy.network()
    assert all(len(layer.parameters) == 1 for layer in trunk_layers(network, "tensor"))
    assert [layer.name for layer in trunk_layers(network, "model")] == ["trunk"]


class Odd(nn.Module):
    """A norm before any layer, a module named like the heads, and a direct parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(nn.Linear(1, 1).weight.data)
        self.norm = nn.LayerNorm(2)
        self.headstone = nn.Linear(2, 2)
        self.group = nn.GroupNorm(1, 2)
        self.heads = nn.ModuleDict({"target": nn.Sequential(nn.Linear(2, 2))})


def test_odd_networks_are_grouped_by_the_same_rules() -> None:
    assert trunk_layers(Odd()) == [
        Layer("trunk", ("scale", "norm.weight", "norm.bias")),
        Layer("headstone", ("headstone.weight", "headstone.bias", "group.weight", "group.bias")),
    ]


def test_a_leading_norm_is_a_layer_of_its_own() -> None:
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2))
    assert [layer.name for layer in trunk_layers(network)] == ["0", "1"]


def test_a_network_without_a_trunk_is_refused() -> None:
    network = nn.Module()
    network.heads = nn.ModuleDict({"target": nn.Linear(2, 2)})
    with pytest.raises(ValueError, match="found none outside `heads`"):
        trunk_layers(network)


def test_an_unknown_grouping_is_refused(toy) -> None:
    with pytest.raises(ValueError, match=r"layer, tensor, model\. Found 'block'"):
        trunk_layers(toy.network(), "block")


class Tied(nn.Module):
    """A language model with tied weights: the embedding shares the last layer's weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.hidden = nn.Linear(3, 3)
        self.last = nn.Linear(3, 5)
        self.last.weight = self.embed.weight


def test_a_shared_parameter_is_counted_once_and_outside_the_heads() -> None:
    hidden = Layer("hidden", ("hidden.weight", "hidden.bias"))
    assert trunk_layers(Tied(), heads=["last"]) == [Layer("embed", ("embed.weight",)), hidden]
    assert trunk_layers(Tied(), heads=["embed"]) == [
        hidden,
        Layer("last", ("embed.weight", "last.bias")),
    ]


@pytest.mark.parametrize("places", [["0", "1.bias"], ["0.*", "*.bias"]])
def test_heads_are_modules_parameters_or_patterns(places) -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    assert trunk_layers(network, heads=places) == [Layer("1", ("1.weight",))]


def test_without_heads_every_layer_is_one_of_the_trunk() -> None:
    assert [layer.name for layer in trunk_layers(Odd(), heads=())][-1] == "heads.target.0"
