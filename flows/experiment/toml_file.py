"""TOML experiment files: finding and reading them, and errors with line numbers."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from data.errors import UserError
from flows.experiment.issues import dotted, not_among, said, shown
from flows.experiment.toml_lines import Key, line_numbers, line_of

SCALES = "scales"
USUAL, WHOLE = "demo", "full"
"""The default scale, and the scale of a file without scales."""
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")


class SettingsError(UserError, ValueError):
    """An experiment file or option is wrong: one line per problem, with place and remedy."""

    @property
    def lines(self) -> list[str]:
        """One line per problem."""
        return str(self).splitlines()


@dataclass(frozen=True, order=True)
class Problem:
    """A problem: line in the file, or 0; key; and message."""

    line: int
    key: str
    message: str


@dataclass(frozen=True, kw_only=True)
class TomlFile:
    """An experiment file.

    Attributes:
        where: name of the file in messages.
        text: content of the file.
        document: parsed content.
    """

    where: str
    text: str
    document: dict[str, Any]

    @property
    def scales(self) -> dict[str, Any]:
        """The tables under `[scales]`, by name; a file without them has one scale, `full`.

        Raises:
            SettingsError: if they are not tables.
        """
        scales = self.document.get(SCALES) or {WHOLE: {}}
        if isinstance(scales, dict):
            return scales
        expected, advice = "a table for each scale", "write [scales.small], or remove the key"
        raise self.error((SCALES,), said(expected, shown(scales), advice))

    def scale_named(self, name: str | None) -> str:
        """Check the name of a scale; by default `demo`, or the only one.

        Raises:
            SettingsError: if it does not exist, or the default is ambiguous.
        """
        known = list(self.scales)
        if name is None and USUAL not in known and len(known) > 1:
            text = said(f"one of {', '.join(known)}", "none", "choose one")
            raise settings_error([problem("--scale", (), text)])
        chosen = name or (USUAL if USUAL in known else known[0])
        if chosen not in known:
            raise self.error((SCALES,), not_among((), chosen, known).text)
        return chosen

    def scale(self, name: str) -> dict[str, Any]:
        """The table of a scale.

        Raises:
            SettingsError: if it does not exist.
        """
        table = self.scales[self.scale_named(name)]
        if not isinstance(table, dict):
            raise self.error((SCALES, name), said("a table", shown(table)))
        return table

    def at(self, scale: str) -> dict[str, Any]:
        """The file's values at a scale, whose table overrides the others."""
        base = {key: value for key, value in self.document.items() if key != SCALES}
        return merged(base, self.scale(scale)) | {"scale": scale}

    def origin(self, scale: str, key: Key) -> Key:
        """Key under which a value at a scale is written, in the scale's table or above it."""
        node: Any = self.scales[scale]
        for part in key:
            if not isinstance(node, Mapping):
                break
            if part not in node:
                return key
            node = node[part]
        return (SCALES, scale, *key)

    def error(self, key: Key, text: str) -> SettingsError:
        """An error at a key of the file."""
        return settings_error([self.problem(key, text)])

    def problem(self, key: Key, text: str) -> Problem:
        """A problem at a key of the file."""
        line = line_of(line_numbers(self.text), key)
        return problem(f"{self.where}:{line}" if line else self.where, key, text, line or 0)


def problem(place: str, key: Key, text: str, line: int = 0) -> Problem:
    """A problem at a place: a file with its line, or an option."""
    words = f"{dotted(key)}: {text}" if key else text
    return Problem(line, dotted(key), " ".join(f"{place}: {words}".splitlines()))


def settings_error(problems: Iterable[Problem]) -> SettingsError:
    """Problems of a file as one error, ordered by line, with only the first one per key."""
    first: dict[tuple[int, str], Problem] = {}
    for found in problems:
        first.setdefault((found.line, found.key), found)
    return SettingsError("\n".join(found.message for found in sorted(first.values())))


def experiment_names() -> list[str]:
    """Names of the packaged experiments."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in _packaged().iterdir()
        if entry.name.endswith(".toml")
    )


def read_toml(name: str) -> TomlFile:
    """Read an experiment file.

    Args:
        name: name of a packaged experiment, or the path of a `.toml` file.

    Raises:
        SettingsError: if it does not exist, or is not TOML.
    """
    if name.endswith(".toml"):
        return _parsed(name, _content(name, Path(name)))
    if name in experiment_names():
        where = f"{name}.toml"
        return _parsed(where, _content(where, _packaged() / where))
    here = f"{name}.toml"
    if any(path.name == here for path in Path().glob("*.toml")):
        text = said("the path of a .toml file", f'"{name}"', f"name {here}")
        raise settings_error([problem("experiment", (), text)])
    known = [*experiment_names(), "the path of a .toml file"]
    raise settings_error([problem("experiment", (), not_among((), name, known).text)])


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Override values of `base` by those of `over`, table by table."""
    result = dict(base)
    for key, value in over.items():
        inner = result.get(key)
        both_tables = isinstance(inner, Mapping) and isinstance(value, Mapping)
        result[key] = merged(inner, value) if both_tables else value  # type: ignore[arg-type]
    return result


def _packaged() -> Traversable:
    return files("flows") / "experiments"


def _content(where: str, path: Path | Traversable) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        text = said("an experiment file", "none", "check the path")
        raise settings_error([problem(where, (), text)]) from error
    except IsADirectoryError as error:
        text = said("an experiment file", "a folder", "name a file in it")
        raise settings_error([problem(where, (), text)]) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        text = said("a file that can be read", reason, "check the path and its permissions")
        raise settings_error([problem(where, (), text)]) from error


def _parsed(where: str, content: bytes) -> TomlFile:
    try:
        text = content.decode("utf-8-sig")
        return TomlFile(where=where, text=text, document=tomllib.loads(text))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"the byte 0x{content[error.start]:02x}"
        advice = said("text in UTF-8", found, "save the file as UTF-8")
        raise settings_error([problem(f"{where}:{line}", (), advice)]) from error
    except RecursionError as error:
        advice = said("TOML", "brackets nested too deep", "correct the file")
        raise settings_error([problem(where, (), advice)]) from error
    except ValueError as error:
        at = _PLACE.search(str(error))
        found = f"an error: {_PLACE.sub('', str(error)).partition(';')[0]}"
        last = content.rstrip().count(b"\n") + 1
        place = f"{where}:{at['line'] or last}" if at else where
        raise settings_error(
            [problem(place, (), said("TOML", found, "correct the line"))]
        ) from error
