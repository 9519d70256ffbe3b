"""Settings added later, which keep the identity of earlier trainings at their defaults."""

import dataclasses
from typing import Any, TypeVar

T = TypeVar("T")

_LATER = "later"


def later(default: T) -> T:
    """Default of a settings field that did not exist when the first trainings were run.

    At its default, a training must be bitwise the same as without the field.
    """
    value: T = dataclasses.field(default=default, metadata={_LATER: True})
    return value


def telling(settings: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass of settings
    """The fields that identify a training: all except `later` ones at their defaults."""
    return {
        field.name: getattr(settings, field.name)
        for field in dataclasses.fields(settings)
        if not (_LATER in field.metadata and getattr(settings, field.name) == field.default)
    }
