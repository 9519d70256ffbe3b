"""A trunk whose settings tell all is checked without torch, as one that is built."""

import subprocess
import sys

import pytest

from gradmix.declarations.trunk import ConvTrunkConfig
from gradmix.networks import ConvTrunk, Network
from tasks.errors import StageError
from tasks.networks.check import check_trunk, trained_bytes
from tasks.networks.declared import TRUNKS
from tasks.networks.trial import tried_bytes, try_trunk
from tasks.networks.trunks import TrunkBuilder, trunk_named

CONVNET = {
    "trunk": "convnet",
    "settings": {"widths": [2, 3, 4, 5], "hidden": 0, "norm": "batch"},
    "frozen": "",
}

CHECKED = """
import sys
from tasks.networks.check import check_trunk, trained_bytes
network = {"trunk": "convnet", "settings": {"hidden": 0}, "frozen": ""}
check_trunk(network, (1, 32, 32), None, needs_map=True)
print(trained_bytes(network, (1, 32, 32)) > 0, "torch" in sys.modules)
"""


def test_every_declared_trunk_has_a_builder() -> None:
    assert all(isinstance(trunk_named(name), TrunkBuilder) for name in TRUNKS)


@pytest.mark.parametrize("hidden", [0, 7])
@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 32, 48)])
def test_settings_tell_what_building_the_trunk_would(hidden, norm, shape) -> None:
    settings = {"widths": [2, 3, 4, 5], "hidden": hidden, "norm": norm}
    network = {**CONVNET, "settings": settings}
    config = ConvTrunkConfig(widths=(2, 3, 4, 5), hidden=hidden, norm=norm)
    assert config.ends_in(shape) == try_trunk(network, shape, None)
    assert config.ends_in(shape) == Network(ConvTrunk(config, shape), {}, shape).ends_in
    assert trained_bytes(network, shape) == tried_bytes(network, shape)


@pytest.mark.parametrize("side", [8, 24])
def test_images_that_do_not_fit_are_refused(side) -> None:
    with pytest.raises(StageError) as error:
        check_trunk(CONVNET, (1, side, 32), None, needs_map=False)
    assert str(error.value) == (
        f"network: expected convnet to take images [1, {side}, 32], found ValueError: image sides "
        f"must be multiples of 16, found {side} x 32.; correct network or images.side."
    )
    with pytest.raises(StageError, match="image sides must be multiples of 16"):
        try_trunk(CONVNET, (1, side, 32), None)


def test_flat_features_are_no_map() -> None:
    network = {**CONVNET, "settings": {"hidden": 7}}
    check_trunk(network, (1, 32, 32), None, needs_map=False)
    with pytest.raises(StageError, match=r"network\.trunk: expected a trunk that ends in a map"):
        check_trunk(network, (1, 32, 32), None, needs_map=True)


def test_no_torch_is_loaded_for_it() -> None:
    command = [sys.executable, "-P", "-W", "error", "-c", CHECKED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    assert done.stdout.split() == ["True", "False"]
