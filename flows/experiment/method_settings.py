"""The settings of a method or a trunk, checked against the dataclass that takes them."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_type_hints

from pydantic import create_model

from flows.experiment.fields import Frozen
from flows.experiment.issues import Finding, said, shown
from flows.experiment.validation import refuse
from gradmix.declarations.methods import METHODS

# Form of the messages of method configs.
_RANGE = re.compile(
    r"(?P<name>\w+) must (?P<not>not )?be (?P<expected>.+?)[.,] found .*", re.IGNORECASE
)


def fields_of(method: str) -> list[str]:
    """Names of a method's settings."""
    return [field.name for field in dataclasses.fields(METHODS[method].config)]


def check_settings(
    method: str, settings: Mapping[str, Any], elsewhere: Mapping[str, Any] | None = None
) -> None:
    """Check that settings are fields of the method's config, with valid types and values.

    Args:
        method: a row of `METHODS`.
        settings: values by field.
        elsewhere: values given by another key, which must not be repeated here.

    Raises:
        ValidationError: if not, with the keys of all problems.
    """
    check_fields(method, METHODS[method].config, settings, elsewhere)


def check_fields(
    name: str,
    config: type[Any],
    settings: Mapping[str, Any],
    elsewhere: Mapping[str, Any] | None = None,
) -> None:
    """Check that settings are fields of a dataclass, with valid types and values.

    Args:
        name: name of the method or trunk.
        config: the dataclass.
        settings: values by field.
        elsewhere: values given by another key, which must not be repeated here.

    Raises:
        ValidationError: if not, with the keys of all problems.
    """
    refuse(
        Finding((key,), said("no such key here", shown(settings[key]), f"use {key} above it"))
        for key in elsewhere or {}
        if key in settings
    )
    model = _model(name, config, frozenset(elsewhere or ()))  # type: ignore[arg-type]
    model.model_validate(dict(settings))
    refuse(_out_of_range(config, {**settings, **(elsewhere or {})}))


# A file names few methods in many rows, and a model takes longer to make than to use. (To mypy,
# `type[Any]` is not hashable.)
@cache
def _model(name: str, config: type[Any], elsewhere: frozenset[str]) -> type[Frozen]:
    """Model of a dataclass's fields, without those that another key gives."""
    types = get_type_hints(config)
    fields: dict[str, Any] = {
        field.name: (types[field.name], ... if _required(field) else None)
        for field in dataclasses.fields(config)
        if field.name not in elsewhere
    }
    return create_model(name, __base__=Frozen, **fields)


def _required(field: "dataclasses.Field[Any]") -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _out_of_range(config: type[Any], settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Errors of the config itself, at the setting that its message starts with."""
    try:
        config(**settings)
    except ValueError as error:
        message = _RANGE.fullmatch(str(error))
        if message is None or message["name"] not in settings:
            yield Finding(
                (), said("settings that the method takes", "others", str(error).rstrip("."))
            )
        else:
            expected = f"{'a value that is not ' if message['not'] else ''}{message['expected']}"
            found = shown(settings[message["name"]])
            yield Finding((message["name"],), said(expected, found))
