"""Settings of a row to search on hyper-validation, one training per combination."""

import itertools
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from flows.experiment.fields import Different
from flows.experiment.issues import Finding, said
from flows.experiment.method_settings import check_settings, fields_of
from flows.experiment.validation import findings_in, refuse

Search = dict[str, Annotated[tuple[int | float, ...], Field(min_length=1), Different]]
"""Values to try, by setting."""


def candidates(search: Search) -> list[dict[str, float]]:
    """All combinations of values, the last setting varying fastest; one empty one if no search."""
    return [
        dict(zip(search, values, strict=True)) for values in itertools.product(*search.values())
    ]


def check_search(
    method: str,
    settings: Mapping[str, Any],
    search: Search,
    elsewhere: Mapping[str, Any] | None = None,
) -> None:
    """Check that the method accepts the values, and no setting already has one.

    Args:
        method: a row of `METHODS`.
        settings: settings with fixed values.
        search: settings to search.
        elsewhere: values given by another key.

    Raises:
        ValidationError: if not, with the keys of all problems, relative to the search's.
    """
    for key, values in search.items():
        if key in settings:
            expected, advice = "a setting without a value of its own", "remove it from settings"
            refuse([Finding((key,), said(expected, f"{key} in settings too", advice))])
        free = key in fields_of(method) and key not in (elsewhere or {})
        for place, value in enumerate(values):
            try:
                check_settings(method, {**settings, key: value}, elsewhere)
            except ValidationError as error:
                refuse(
                    Finding(
                        (key, place) if free and found.key[:1] == (key,) else found.key[:1],
                        found.text,
                    )
                    for found in findings_in(error.errors())
                )
