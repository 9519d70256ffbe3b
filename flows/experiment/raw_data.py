"""The raw data of an experiment, as they are found before anything runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class RawData:
    """Everything that is read from outside, found before anything runs.

    Attributes:
        root: folder of the real data; None for embedded data.
        digests: of the raw files by (dataset, split), each by name.
        roots: folder of each data set; None for embedded data.
        classes: of each data set.
        shown: by (dataset, split), the place of each photo or clip by its SHA-256 and its class.
        weights: file of pretrained weights; None: random ones.
        weights_digest: SHA-256 of it.
        code_digest: SHA-256 of the file of a trunk that the user has written.
    """

    root: str | None
    digests: Mapping[tuple[str, str], dict[str, str]]
    roots: Mapping[str, str | None]
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shown: Mapping[tuple[str, str], Mapping[tuple[str, str], Path]] = field(default_factory=dict)
    weights: str | None = None
    weights_digest: str | None = None
    code_digest: str | None = None
