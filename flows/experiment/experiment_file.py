"""Experiment files: TOML read into settings, with exact error messages."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from flows.experiment.issues import dotted, key_and_text, not_among, said, shown, unknown_keys
from flows.experiment.settings import Experiment
from flows.experiment.toml_lines import Key, line_numbers, line_of

Options = Mapping[Key, tuple[str, Any]]

_SCALES = "scales"
_TOP = [name for name in Experiment.model_fields if name != "scale"]
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")


class SettingsError(ValueError):
    """An experiment file or an option is wrong: one line with file, line, key, what to do."""


def experiment_names() -> list[str]:
    """Names of the experiments that come with the package."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in _packaged().iterdir()
        if entry.name.endswith(".toml")
    )


def load_experiment(name: str, scale: str, options: Options | None = None) -> Experiment:
    """Read an experiment at one scale; its other scales are checked too.

    Args:
        name: of a packaged experiment, or the path of a `.toml` file.
        scale: a table under `[scales]`, the values of which override the file's.
        options: values that override both, by key, each with the option's name for messages.

    Raises:
        SettingsError: if anything in it is wrong.
    """
    file = _read(name)
    experiment = file.at(scale, options or {})
    for other in file.scales:
        file.at(other, {})
    return experiment


@dataclass(frozen=True)
class _File:
    """An experiment file: what to call it, its text and its tables."""

    where: str
    text: str
    document: dict[str, Any]

    @property
    def scales(self) -> dict[str, Any]:
        """The table of scales; nothing else in the file is read if there is none."""
        for unknown in unknown_keys(self.document, [*_TOP, _SCALES]):
            raise self.error(unknown.key, unknown.text)
        scales = self.document.get(_SCALES)
        if isinstance(scales, dict) and scales:
            return scales
        found = "none" if scales in (None, {}) else shown(scales)
        raise self.error((_SCALES,), said("a table for each scale", found, "add [scales.small]"))

    def at(self, scale: str, options: Options) -> Experiment:
        """The experiment at a scale."""
        over = self._scale(scale)
        base = {key: value for key, value in self.document.items() if key != _SCALES}
        merged = _merged(base, over) | {"scale": scale}
        for key, (_, value) in options.items():
            merged = _merged(merged, _nested(key, value))
        try:
            return Experiment.model_validate(merged)
        except ValidationError as error:
            key, text = key_and_text(error.errors())
            option = next(
                (options[given][0] for given in options if key[: len(given)] == given), None
            )
            if option:
                raise _error(option, f"{dotted(key)}: {text}") from error
            raise self.error(self._origin(scale, key), text) from error

    def error(self, key: Key, text: str) -> SettingsError:
        """An error at a key of the file."""
        line = line_of(line_numbers(self.text), key)
        return _error(f"{self.where}:{line}" if line else self.where, f"{dotted(key)}: {text}")

    def _scale(self, scale: str) -> dict[str, Any]:
        """The table of a scale, with known keys."""
        if scale not in self.scales:
            raise self.error((_SCALES,), not_among((), scale, list(self.scales)).text)
        table = self.scales[scale]
        if not isinstance(table, dict):
            raise self.error((_SCALES, scale), said("a table", shown(table)))
        for unknown in unknown_keys(table, _TOP):
            raise self.error((_SCALES, scale, *unknown.key), unknown.text)
        return table

    def _origin(self, scale: str, key: Key) -> Key:
        """Where the value of a key is written: in the scale's table or above it."""
        node: Any = self.scales[scale]
        for part in key:
            if not isinstance(node, Mapping):
                break
            if part not in node:
                return key
            node = node[part]
        return (_SCALES, scale, *key)


def _error(place: str, text: str) -> SettingsError:
    return SettingsError(" ".join(f"{place}: {text}".splitlines()))


def _read(name: str) -> _File:
    """The tables of a file.

    Raises:
        SettingsError: if there is none, or it is not TOML.
    """
    if name.endswith(".toml"):
        return _parsed(name, _content(name, Path(name)))
    if name in experiment_names():
        where = f"{name}.toml"
        return _parsed(where, _content(where, _packaged() / where))
    known = [*experiment_names(), "the path of a .toml file"]
    raise _error("experiment", not_among((), name, known).text)


def _packaged() -> Traversable:
    return files("flows") / "experiments"


def _content(where: str, path: Path | Traversable) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        text = said("an experiment file", "none", "check the path")
        raise _error(where, text) from error
    except IsADirectoryError as error:
        text = said("an experiment file", "a folder", "name a file in it")
        raise _error(where, text) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        text = said("a file that can be read", reason, "check the path and its permissions")
        raise _error(where, text) from error


def _parsed(where: str, content: bytes) -> _File:
    try:
        text = content.decode("utf-8-sig")
        return _File(where, text, tomllib.loads(text))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"the byte 0x{content[error.start]:02x}"
        advice = said("text in UTF-8", found, "save the file as UTF-8")
        raise _error(f"{where}:{line}", advice) from error
    except RecursionError as error:
        advice = said("TOML", "brackets nested too deep", "correct the file")
        raise _error(where, advice) from error
    except ValueError as error:
        at = _PLACE.search(str(error))
        found = f"an error: {_PLACE.sub('', str(error)).partition(';')[0]}"
        last = content.rstrip().count(b"\n") + 1
        place = f"{where}:{at['line'] or last}" if at else where
        raise _error(place, said("TOML", found, "correct the line")) from error


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over`, table by table."""
    result = dict(base)
    for key, value in over.items():
        inner = result.get(key)
        both_tables = isinstance(inner, Mapping) and isinstance(value, Mapping)
        result[key] = _merged(inner, value) if both_tables else value  # type: ignore[arg-type]
    return result


def _nested(key: Key, value: object) -> dict[str, Any]:
    for part in reversed(key):
        value = {str(part): value}
    return value  # type: ignore[return-value]  # a key has at least one part
