"""What the output of a trunk depends on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gradmix.normalisation import Normalisation


@dataclass(frozen=True, kw_only=True)
class NetworkDescription:
    """A trunk, as identities name it and jobs build it.

    Attributes:
        trunk: a name that we know, `timm:NAME`, or a factory `package.module:function`.
        settings: of the trunk, defaults written out.
        normalisation: of images.
        frozen: the last part of the trunk that is not trained, or `all`; empty: all of it is.
        weights: SHA-256 of the file that it starts from; None: random weights.
        code: SHA-256 of the file of a trunk that the user has written.
    """

    trunk: str
    settings: Mapping[str, Any]
    normalisation: Normalisation
    frozen: str = ""
    weights: str | None = None
    code: str | None = None
