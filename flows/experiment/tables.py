"""The tables of methods and trunks, imported on first use.

Both import torch, which takes seconds. Settings need neither to find a wrong key.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradmix.methods import MethodEntry
    from tasks.networks.trunks import TrunkEntry


def known_methods() -> Mapping[str, "MethodEntry"]:
    """The methods by name."""
    from gradmix.methods import METHODS  # noqa: PLC0415 - see above

    return METHODS


def known_trunks() -> Mapping[str, "TrunkEntry"]:
    """The built-in trunks by name."""
    from tasks.networks.trunks import TRUNKS  # noqa: PLC0415 - see above

    return TRUNKS
