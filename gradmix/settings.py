"""Settings that came later: what tells a training of today from one made before they existed."""

import dataclasses
from typing import Any, TypeVar

T = TypeVar("T")

_LATER = "later"


def later(default: T) -> T:
    """The default of a field of settings that did not exist when the first trainings were made.

    At its default, the training must be bit for bit what it was without the field.
    """
    value: T = dataclasses.field(default=default, metadata={_LATER: True})
    return value


def telling(settings: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass of settings
    """The fields that tell one training from another: all but later ones at their default."""
    return {
        field.name: getattr(settings, field.name)
        for field in dataclasses.fields(settings)
        if not (_LATER in field.metadata and getattr(settings, field.name) == field.default)
    }
