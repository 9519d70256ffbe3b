"""A trunk tried out before anything runs: what is refused, its size, its time."""

import sys
from pathlib import Path

import pytest
import torch

from tasks.errors import StageError
from tasks.networks.check import check_trunk, trained_bytes
from tasks.networks.trial import feature_seconds, training_seconds

SHAPE = (3, 64, 64)
CONVNET = {"widths": [4, 4, 4, 6], "hidden": 0, "norm": "batch"}
SETTINGS = {"convnet": CONVNET}


def checked(trunk: str, shape=SHAPE, weights=None, needs_map=True, **changes) -> None:
    settings = {"settings": SETTINGS.get(trunk, {}), "frozen": ""}
    check_trunk({"trunk": trunk, **settings, **changes}, shape, weights, needs_map=needs_map)


@pytest.mark.parametrize(("name", "frozen"), [("resnet18", "layer2"), ("convnet", "")])
def test_a_trunk_that_works_is_let_through(name, frozen) -> None:
    checked(name, frozen=frozen)


@pytest.mark.parametrize(
    ("trunk", "changes", "expected"),
    [
        ("resnet18", {"frozen": "layer9"}, r"network\.frozen: .* found 'layer9'"),
        ("{own}:number", {}, r"network\.trunk: expected .*:number to return a module, found a int"),
        ("{own}:failing", {}, r"found ZeroDivisionError: division by zero; correct network\.sett"),
        ("{own}:flat", {}, r"network\.trunk: expected a trunk that ends in a map"),
        ("{own}:small", {"shape": (1, 64, 64)}, r"to take images \[1, 64, 64\], found RuntimeErr"),
        ("resnet18", {"frozen": "layer2", "shape": (1, 64, 64)}, r"to take images \[1, 64, 64\]"),
        ("{own}:torn", {"frozen": "0"}, r"to take images \[3, 64, 64\], found RuntimeError"),
    ],
)
def test_a_trunk_that_does_not_work_is_refused_in_one_line(
    own_module, trunk, changes, expected
) -> None:
    if trunk.endswith(":small"):
        changes |= {"settings": {"width": 5}}
    with pytest.raises(StageError, match=expected) as error:
        checked(trunk.format(own=own_module), **changes)
    assert "\n" not in str(error.value)


def test_a_map_is_asked_for_only_where_a_method_reads_one(own_module) -> None:
    checked(f"{own_module}:flat", needs_map=False)


def test_a_factory_that_python_cannot_read_is_refused_in_one_line(own_module, monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, own_module, raising=False)
    (Path(sys.path[0]) / f"{own_module}.py").write_text("def make(:\n")
    with pytest.raises(StageError, match=r"found SyntaxError \(invalid syntax") as error:
        checked(f"{own_module}:make")
    assert "\n" not in str(error.value)


def test_weights_that_are_none_are_refused_before_anything_runs(tmp_path) -> None:
    (tmp_path / "own.pt").write_bytes(b"junk")
    with pytest.raises(StageError, match=r"network\.weights: expected tensors by name"):
        checked("resnet18", weights=tmp_path / "own.pt")


def test_the_size_of_a_trunk_is_that_of_its_weights_and_statistics(own_module) -> None:
    """2 x 3 x 9 + 2 weights; 2 + 2 of the norm, its mean and variance, of 4 bytes; a count of 8."""
    network = {"trunk": f"{own_module}:small", "settings": {"width": 2}, "frozen": ""}
    assert trained_bytes(network, SHAPE) == 4 * (56 + 8) + 8


def test_a_trunk_is_timed_and_torchs_threads_are_left_alone() -> None:
    before = torch.get_num_threads()
    assert training_seconds({"trunk": "convnet", "settings": CONVNET, "frozen": ""}, SHAPE) > 0
    assert torch.get_num_threads() == before


def test_only_what_is_trained_of_a_frozen_trunk_is_stored_with_a_model() -> None:
    """Lite0's 1,280 features: a weight and an offset each, of 4 bytes."""
    network = {"trunk": "efficientnet_lite0", "settings": {}, "frozen": "all"}
    assert trained_bytes(network, SHAPE) == 4 * 2 * 1280


def test_the_frozen_part_takes_time_once_and_the_rest_with_every_step() -> None:
    whole = {"trunk": "resnet18", "settings": {}, "frozen": ""}
    assert feature_seconds(whole, SHAPE) == 0
    assert feature_seconds({**whole, "frozen": "layer3"}, SHAPE) > 0


@pytest.mark.parametrize("trunk", ["convnet", "resnet18"])
def test_a_trunk_that_is_all_frozen_works_but_has_no_map(trunk) -> None:
    checked(trunk, frozen="all", needs_map=False)
    with pytest.raises(StageError, match=r"network\.trunk: expected a trunk that ends in a map"):
        checked(trunk, frozen="all", needs_map=True)


def test_trying_a_trunk_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    checked("resnet18", frozen="all", needs_map=False)
    assert torch.equal(torch.rand(3), expected)
