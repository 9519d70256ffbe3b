"""Description of a trunk: everything its output depends on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gradmix.declarations.choices import Normalisation


@dataclass(frozen=True, kw_only=True)
class NetworkDescription:
    """A trunk, as used in identities and built by jobs.

    Attributes:
        trunk: a registered name, `timm:NAME`, or a factory `package.module:function`.
        settings: settings of the trunk, including defaults.
        normalisation: normalisation of images.
        frozen: last part of the trunk that is not trained, or `all`; empty if all of it is trained.
        weights: SHA-256 of the file of initial weights; None for random ones.
        code: SHA-256 of the file of a user-defined trunk; timm's version for its trunks.
    """

    trunk: str
    settings: Mapping[str, Any]
    normalisation: Normalisation
    frozen: str = ""
    weights: str | None = None
    code: str | None = None
