"""Types of settings' values."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    TypeAdapter,
    ValidationError,
    WrapValidator,
    model_validator,
)

from flows.experiment.issues import (
    Finding,
    not_among,
    repeated,
    said,
    shown,
    unexplained,
    unknown_keys,
)
from flows.experiment.validation import findings_in, refuse

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
# Two of them and a digest form a folder name; some file systems only allow 143 bytes.
_LONGEST_WORD = 60
_K = re.compile(r"[1-9][0-9]*")
_NUMBER = re.compile(r"[+-]?[0-9][0-9._eE+-]*")


class _Later:
    """Marks a key added after the first reproductions were named."""


LATER = _Later()


class Frozen(BaseModel):
    """Strict, immutable settings: no conversions, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _report_every_key(cls, values: object, check: ModelWrapValidatorHandler[Self]) -> Self:
        # Pydantic would report a misspelt key twice, as unknown and as missing.
        if not isinstance(values, dict):
            return check(values)
        known = list(cls.model_fields)
        unknown = unknown_keys(values, known)
        try:
            checked = check(_tuples({key: values[key] for key in values if key in known}))
        except ValidationError as error:
            refuse([*unknown, *unexplained(findings_in(error.errors()), unknown, known)])
            raise
        refuse(unknown)
        return checked


def telling(value: Any) -> Any:  # noqa: ANN401 - settings, or a value in them
    """Settings in JSON for identities, without later keys at their defaults."""
    if isinstance(value, Frozen):
        return {
            name: telling(getattr(value, name))
            for name, field in type(value).model_fields.items()
            if LATER not in field.metadata
            or getattr(value, name) != field.get_default(call_default_factory=True)
        }
    if isinstance(value, Mapping):
        return {key: telling(item) for key, item in value.items()}
    return list(map(telling, value)) if isinstance(value, (list, tuple)) else value


def _tuples(value: Any) -> Any:  # noqa: ANN401 - TOML or JSON
    """Convert arrays to tuples, as in frozen settings."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, (list, tuple)) else value


def one_of(known: Sequence[str], name: str) -> str:
    """Return a name, which must be known.

    Raises:
        ValidationError: if it is not.
    """
    if name not in known:
        refuse([not_among((), name, known)])
    return name


def _word(text: str) -> str:
    if not _WORD.fullmatch(text) or len(text) > _LONGEST_WORD:
        expected = f"letters, digits, - and _, {_LONGEST_WORD} at most (the name is used in paths)"
        refuse([Finding((), said(expected, shown(text), "rename it"))])
    return text


def _name(text: str) -> str:
    if not text or text != text.strip() or not text.isprintable():
        expected = "a text on one line without spaces around it"
        refuse([Finding((), said(expected, shown(text), "correct the text"))])
    return text


def _paper_key(text: str) -> str:
    if not _K.fullmatch(text):
        expected = "keys that are k, an integer of at least 1"
        refuse([Finding((), said(expected, shown(text), "correct the key"))])
    return text


def _differ(values: tuple[Any, ...]) -> tuple[Any, ...]:
    refuse(
        Finding((place,), said("no value twice", f"{shown(values[place])} again", "remove one"))
        for place in repeated(values)
    )
    return values


def _held_out(value: object, _: object) -> Any:  # noqa: ANN401 - a number, a share or a word
    """A number, a share or `cross`; a plain union would report each error three times."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return one_of([CROSS], value)
    of = _SHARE if isinstance(value, float) else _COUNT
    return None if value is None else of.validate_python(value, strict=True)


Different = AfterValidator(_differ)
Word = Annotated[str, AfterValidator(_word)]
Name = Annotated[str, AfterValidator(_name)]
Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[float, Field(ge=0)]
PerCent = Annotated[float, Field(ge=0, le=100)]
Classes = Annotated[tuple[Name, ...], Field(min_length=1), Different]
ALL, THE_TARGETS = "all", "target"
CROSS = "cross"
"""Hyper-validation by cross-fitting: each label is held out once."""
_COUNT: TypeAdapter[int] = TypeAdapter(Positive)
_SHARE: TypeAdapter[float] = TypeAdapter(Annotated[float, Field(gt=0, lt=1)])
HeldOut = Annotated[int | float | Literal["cross"] | None, WrapValidator(_held_out)]
"""Labels held out for hyper-validation: a number, a share, or each once."""


def _chosen(*words: str) -> WrapValidator:
    """One of some words, or class names; a plain union would report each error twice."""

    def check(value: object, _: object) -> Any:  # noqa: ANN401 - a word or a tuple
        return one_of(words, value) if isinstance(value, str) else _CLASSES.validate_python(value)

    return WrapValidator(check)


_CLASSES: TypeAdapter[tuple[str, ...]] = TypeAdapter(Classes, config=Frozen.model_config)
SourceClasses = Annotated[tuple[str, ...] | Literal["all", "target"], _chosen(ALL, THE_TARGETS)]
"""Class names, or all of the data set, or those of the target."""
TargetClasses = Annotated[tuple[str, ...] | Literal["all"], _chosen(ALL)]
"""Class names, or all of the data set."""
Rates = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1), Different]
PaperKey = Annotated[str, AfterValidator(_paper_key)]
Paper = dict[PaperKey, Annotated[tuple[PerCent, ...], Field(min_length=1, max_length=2)]]
"""The paper's mean, and standard error if given, by k, in per cent."""
