"""The table of trunks, imported on first use.

It imports torch, which takes seconds. Settings do not need it to find a wrong key.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.networks.trunks import TrunkEntry


def known_trunks() -> Mapping[str, "TrunkEntry"]:
    """The built-in trunks by name."""
    from tasks.networks.trunks import TRUNKS  # noqa: PLC0415 - see above

    return TRUNKS
