"""What running a frozen part is given."""

from dataclasses import dataclass
from pathlib import Path

from tasks.networks.description import NetworkDescription


@dataclass(frozen=True, kw_only=True)
class FeaturesJob:
    """A frozen part, and the images to run it on.

    Attributes:
        network: the trunk, and which part is frozen.
        weights: file of the trunk's initial weights; None for random ones.
        data: folder of the prepared images.
    """

    network: NetworkDescription
    weights: Path | None
    data: Path
