"""Frozen dataclasses as JSON and back: the one codec of jobs, stages, subjects and records.

A class's type hints define its JSON. Every key must be present and no other may be, so a file
written by another version is rejected with the name of the key that differs.
"""

import dataclasses
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tasks.errors import StageError

Json = Any
"""None, a bool, a number, a string, a list of JSON, or a dictionary of JSON with string keys."""

HOME = "{home}"
"""Placeholder in paths for the home folder, which other hosts may mount elsewhere."""

T = TypeVar("T")


class CodecError(StageError):
    """JSON does not fit its class: a one-line message."""


def encode(value: object, *, home: Path | None = None, keep: tuple[type, ...] = ()) -> Json:
    """Convert a value to JSON.

    Args:
        value: dataclasses, mappings, sequences, paths and scalars, nested to any depth.
        home: paths under it are written relative to it; None leaves paths unchanged.
        keep: classes whose objects are left unchanged, for the caller to replace.

    Raises:
        TypeError: if the value holds anything else.
    """
    if value is None or isinstance(value, (bool, int, float, str, *keep)):
        return value
    if isinstance(value, Path):
        return _moved(str(value), None if home is None else str(home), HOME)
    if isinstance(value, Mapping):
        return {str(key): encode(item, home=home, keep=keep) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [encode(item, home=home, keep=keep) for item in value]
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: encode(getattr(value, name), home=home, keep=keep) for name in names}
    raise TypeError(f"expected something that JSON can hold, found {type(value).__name__}.")


def decode(
    kind: type[T],
    content: Json,
    *,
    home: Path | None = None,
    name: str = "",
    sparse: bool = False,
) -> T:
    """The inverse of `encode`.

    Args:
        kind: class of the value.
        content: JSON.
        home: home folder that paths are relative to.
        name: name of the content in errors; the class's name by default.
        sparse: whether keys of fields with a default may be missing, as in files of earlier
            versions.

    Raises:
        CodecError: if the content does not fit the class.
    """
    value: T = _decoded(kind, content, name or kind.__name__, _Reading(home, sparse))
    return value


def replace_leaves(value: Any, kind: type[T], change: Callable[[T], object]) -> Any:  # noqa: ANN401
    """Copy a nested value, replacing every object of a class.

    Args:
        value: dataclasses, mappings, lists and tuples without names, nested to any depth. Of a
            dataclass, only fields whose type has a type variable can hold such an object. Parts
            without one are not copied.
        kind: class of the objects to replace.
        change: maps an object to its replacement.
    """
    if isinstance(value, kind):
        return change(value)
    parts = _parts(value)
    changed = [replace_leaves(part, kind, change) for part in parts.values()]
    if all(map(operator.is_, changed, parts.values())):
        return value
    if isinstance(value, list | tuple):
        return type(value)(changed)
    named = dict(zip(parts, changed, strict=True))
    return named if isinstance(value, Mapping) else dataclasses.replace(value, **named)


def leaves(value: object, kind: type[T]) -> list[T]:
    """Every object of a class in a nested value, in order; searched like `replace_leaves`."""
    if isinstance(value, kind):
        return [value]
    return [leaf for part in _parts(value).values() for leaf in leaves(part, kind)]


def _parts(value: Any) -> Mapping[Any, Any]:  # noqa: ANN401
    """What a nested value consists of, by key, place or open field; nothing if not nested."""
    if isinstance(value, str | int | float | None):
        return {}
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list | tuple):
        return dict(enumerate(value))
    names = _open_fields(type(value))  # type: ignore[arg-type]  # to mypy, types are not hashable
    return {name: getattr(value, name) for name in names}


@cache
def _open_fields(kind: type[Any]) -> tuple[str, ...]:
    """Names of a dataclass's open fields, those whose type has a type variable.

    Empty if it is not a dataclass.
    """
    if not dataclasses.is_dataclass(kind):
        return ()
    return tuple(name for name, hint in _hints(kind).items() if _is_open(hint))


def _is_open(hint: Any) -> bool:  # noqa: ANN401
    return isinstance(hint, TypeVar) or any(_is_open(part) for part in get_args(hint))


@dataclasses.dataclass(frozen=True)
class _Reading:
    """Options that apply at every level."""

    home: Path | None
    sparse: bool


def _decoded(kind: Any, content: Json, where: str, how: _Reading) -> Any:  # noqa: ANN401
    if isinstance(kind, TypeVar):
        kind = _default_of(kind)
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin is Any or origin is object:
        return content
    if origin in (Union, UnionType):
        return _union(arguments, content, where, how)
    if origin is Literal:
        return _checked(content in arguments, content, where, f"one of {list(arguments)}")
    if isinstance(origin, type) and dataclasses.is_dataclass(origin):
        return _dataclass(origin, content, where, how)
    container = _CONTAINERS.get(origin)
    if container is not None:
        return container(origin, arguments, content, where, how)
    return _scalar(origin, content, where, how)


def _union(kinds: Sequence[Any], content: Json, where: str, how: _Reading) -> Any:  # noqa: ANN401
    """Decode as the first class that fits; if none does, raise the last one's error."""
    if content is None and NoneType in kinds:
        return None
    some = [kind for kind in kinds if kind is not NoneType]
    for kind in some[:-1]:
        try:
            return _decoded(kind, content, where, how)
        except CodecError:
            continue
    return _decoded(some[-1], content, where, how)


def _dataclass(kind: type, content: Json, where: str, how: _Reading) -> object:
    _checked(isinstance(content, Mapping), content, where, f"the keys of {kind.__name__}")
    hints = _hints(kind)
    missing, unknown = hints.keys() - content.keys(), content.keys() - hints.keys()
    if how.sparse:
        missing &= _needed(kind)
    if missing or unknown:
        wrong = (
            f"{min(missing)!r}, found none" if missing else f"found the unknown {min(unknown)!r}"
        )
        expected = "the key" if missing else f"the {len(hints)} keys of {kind.__name__},"
        raise CodecError(
            f"{where}: expected {expected} {wrong}; use the version of gradmix that wrote it."
        )
    values = {
        name: _decoded(hint, content[name], f"{where}.{name}", how)
        for name, hint in hints.items()
        if name in content
    }
    return kind(**values)


def _sequence(
    kind: type, arguments: Sequence[Any], content: Json, where: str, how: _Reading
) -> Sequence[Any]:
    _checked(isinstance(content, list | tuple), content, where, "a list")
    kinds = [argument for argument in arguments if argument is not Ellipsis]
    if kind is tuple and Ellipsis not in arguments:
        _checked(len(content) == len(kinds), content, where, f"{len(kinds)} values")
    else:
        kinds = kinds * len(content)
    items = (
        _decoded(one, item, f"{where}[{place}]", how)
        for place, (one, item) in enumerate(zip(kinds, content, strict=True))
    )
    return list(items) if kind is list else tuple(items)


def _mapping(
    _: type, arguments: Sequence[Any], content: Json, where: str, how: _Reading
) -> dict[Any, Any]:
    _checked(isinstance(content, Mapping), content, where, "keys and values")
    key, value = arguments or (str, Any)
    # JSON keys are always strings.
    return {
        key(name): _decoded(value, item, f"{where}.{name}", how) for name, item in content.items()
    }


_CONTAINERS: dict[Any, Callable[..., Any]] = {
    list: _sequence,
    tuple: _sequence,
    Sequence: _sequence,
    dict: _mapping,
    Mapping: _mapping,
}


def _scalar(kind: type, content: Json, where: str, how: _Reading) -> Any:  # noqa: ANN401
    if kind is Path:
        _checked(isinstance(content, str), content, where, "a path")
        return Path(content if how.home is None else _moved(content, HOME, str(how.home)))
    # Keep an int where a float is expected: converting it would change digests.
    kinds = (int, float) if kind is float else kind
    fits = isinstance(content, kinds) and (kind is bool or not isinstance(content, bool))
    return _checked(fits, content, where, f"a value of type {kind.__name__}")


def _checked(fits: bool, content: Json, where: str, expected: str) -> Json:
    if not fits:
        found = " ".join(repr(content).split())
        raise CodecError(f"{where}: expected {expected}, found {found[:80]}; correct it.")
    return content


def _moved(path: str, before: str | None, now: str) -> str:
    inside = before is not None and (path == before or path.startswith(f"{before}/"))
    return now + path[len(before or "") :] if inside else path


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


@cache
def _needed(kind: type) -> frozenset[str]:
    """Names of the fields without a default."""
    none = dataclasses.MISSING
    own = dataclasses.fields(kind)
    return frozenset(f.name for f in own if f.default is none and f.default_factory is none)


def _default_of(variable: TypeVar) -> Any:  # noqa: ANN401 - a class
    return getattr(variable, "__default__", Any)
