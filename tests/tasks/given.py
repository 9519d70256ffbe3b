"""Inputs of stages and jobs from plain JSON and artifacts, as short as a test wants them."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

from tasks.codec import decode, encode
from tasks.subjects import Subject

T = TypeVar("T")


def given(kind: type[T], content: Mapping[str, Any]) -> T:
    """An object of the class; what is left out has its default, and `label` names a subject."""
    whole = dict(content)
    if "label" in whole:
        whole["subject"] = Subject(name=whole.pop("label"))
    return decode(kind, encode(_filled(kind, whole)))


def _filled(kind: Any, content: Any) -> Any:
    if not (isinstance(kind, type) and is_dataclass(kind) and isinstance(content, Mapping)):
        return content
    hints = get_type_hints(kind)
    whole = {f.name: f.default for f in fields(kind) if f.default is not MISSING} | dict(content)
    return {name: _filled(hints.get(name), value) for name, value in whole.items()}
