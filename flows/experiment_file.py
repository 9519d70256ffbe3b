"""Experiment files: TOML read into settings, with exact error messages."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from flows.locate import Key, line_numbers, line_of
from flows.settings import Experiment


class SettingsError(ValueError):
    """An experiment file or an option is wrong: one line with key, file, line, what to do."""


def experiment_names() -> list[str]:
    """Names of the experiments that come with the package."""
    folder = files("flows") / "experiments"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def load_experiment(
    name: str, scale: str, options: Mapping[Key, tuple[str, Any]] | None = None
) -> Experiment:
    """Read an experiment at one scale.

    Args:
        name: of a packaged experiment, or the path of a `.toml` file.
        scale: a table under `[scales]`, the values of which override the file's.
        options: values that override both, by key, each with the option's name for messages.

    Raises:
        SettingsError: if anything in it is wrong.
    """
    where, text = _read(name)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{where}: expected TOML, found: {error}.") from error
    scales = document.pop("scales", {})
    if not isinstance(scales, dict) or scale not in scales:
        known = ", ".join(scales) if isinstance(scales, dict) else "none"
        raise SettingsError(f"{where}: expected scale to be one of {known}, found {scale!r}.")
    merged = _merged(document, scales[scale]) | {"scale": scale}
    options = options or {}
    for key, (_, value) in options.items():
        merged = _merged(merged, _nested(key, value))
    try:
        return Experiment.model_validate(_tuples(merged))
    except ValidationError as error:
        first = error.errors()[0]
        key = _known_key(first)
        place = _place(where, text, scale, options, key)
        raise SettingsError(f"{place}{_message(first, key)}") from error


def _read(name: str) -> tuple[str, str]:
    """What to call the file in messages, and its text."""
    try:
        if name.endswith(".toml"):
            return name, Path(name).read_text(encoding="utf-8")
        if name in experiment_names():
            text = (files("flows") / "experiments" / f"{name}.toml").read_text(encoding="utf-8")
            return f"{name}.toml", text
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}: expected a readable experiment file: {error}.") from error
    raise SettingsError(
        f"expected an experiment ({', '.join(experiment_names())}) or a .toml file, "
        f"found {name!r}."
    )


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


def _tuples(value: object) -> Any:  # noqa: ANN401 - TOML
    """TOML with tuples for arrays, as frozen settings hold them."""
    if isinstance(value, Mapping):
        return {key: _tuples(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    return value


def _known_key(error: ErrorDetails) -> Key:
    return tuple(error["loc"])


def _place(
    where: str, text: str, scale: str, options: Mapping[Key, tuple[str, Any]], key: Key
) -> str:
    """Option, or file and line, that the wrong value comes from."""
    for option_key, (option, _) in options.items():
        if key[: len(option_key)] == option_key:
            return f"{option}: "
    lines = line_numbers(text)
    override: Key = ("scales", scale, *key)
    line = None
    for end in range(len(key), 0, -1):
        line = lines.get(override[: end + 2]) or lines.get(key[:end])
        if line:
            break
    line = line or line_of(lines, key)
    return f"{where}:{line}: " if line else f"{where}: "


def _message(error: ErrorDetails, key: Key) -> str:
    """Key, what was expected, what was found."""
    name = ".".join(str(part) for part in key) or "experiment"
    if error["type"] == "extra_forbidden":
        return f"{name}: expected no such key; remove it or correct its name."
    if error["type"] == "missing":
        return f"{name}: expected a value, found none; add the key."
    if error["type"] == "value_error":
        return f"{name}: {error['msg'].removeprefix('Value error, ')}"
    expected = error["msg"].replace("Input should be", "expected").replace("Input", "expected it")
    found = repr(error["input"])
    return f"{name}: {expected[:1].lower()}{expected[1:]}, found {found[:80]}."
