"""The settings of a method, checked against the dataclass that takes them."""

import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, get_type_hints

from pydantic import create_model

from flows.findings import Finding, refuse, said, shown
from flows.values import Frozen
from gradmix.methods import METHODS

# How the configs of the methods put it.
_RANGE = re.compile(r"\w+ must (?P<not>not )?be (?P<expected>.+?)[.,] found .*", re.IGNORECASE)


def fields_of(method: str) -> list[str]:
    """Names of a method's settings."""
    return [field.name for field in dataclasses.fields(METHODS[method].config)]


def check_settings(
    method: str, settings: Mapping[str, Any], elsewhere: Collection[str] = ()
) -> None:
    """Refuse settings that are not fields of the method's config, of its types, in its range.

    Args:
        method: a row of `METHODS`.
        settings: values by field.
        elsewhere: fields whose values come from another key, and must not be given here.

    Raises:
        ValidationError: with the keys of everything wrong.
    """
    config = METHODS[method].config
    refuse(
        Finding((name,), said("no such key here", shown(settings[name]), f"use {name} above it"))
        for name in elsewhere
        if name in settings
    )
    types = get_type_hints(config)
    fields: dict[str, Any] = {
        field.name: (types[field.name], ... if _required(field) else None)
        for field in dataclasses.fields(config)
        if field.name not in elsewhere
    }
    create_model(method, __base__=Frozen, **fields).model_validate(dict(settings))
    refuse(list(_out_of_range(config, settings))[:1])


def _required(field: "dataclasses.Field[Any]") -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _out_of_range(config: type[Any], settings: Mapping[str, Any]) -> Iterator[Finding]:
    """What the config itself refuses: each setting among defaults, then all together."""
    for name, value in settings.items():
        yield from _refused(config, {name: value}, (name,), shown(value))
    yield from _refused(config, settings, (), "these settings")


def _refused(
    config: type[Any], settings: Mapping[str, Any], key: tuple[str, ...], found: str
) -> Iterator[Finding]:
    try:
        config(**settings)
    except ValueError as error:
        message = _RANGE.fullmatch(str(error))
        if message is None:
            yield Finding(key, said("a value that the method takes", found, str(error)))
        else:
            expected = f"{'a value that is not ' if message['not'] else ''}{message['expected']}"
            yield Finding(key, said(expected, found))
