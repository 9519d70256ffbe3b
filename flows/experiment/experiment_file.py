"""Experiment files: TOML read into settings, with exact error messages."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from flows.experiment.issues import dotted, unknown_keys
from flows.experiment.settings import Experiment
from flows.experiment.toml_file import SCALES, TomlFile, merged, read_toml, settings_error
from flows.experiment.toml_lines import Key
from flows.experiment.validation import key_and_text

Options = Mapping[Key, tuple[str, Any]]

_TOP = [name for name in Experiment.model_fields if name != "scale"]


def load_experiment(name: str, scale: str, options: Options | None = None) -> Experiment:
    """Read an experiment at one scale; its other scales are checked too.

    Args:
        name: of a packaged experiment, or the path of a `.toml` file.
        scale: a table under `[scales]`, the values of which override the file's.
        options: values that override both, by key, each with the option's name for messages.

    Raises:
        SettingsError: if anything in it is wrong.
    """
    file = read_toml(name)
    for unknown in unknown_keys(file.document, [*_TOP, SCALES]):
        raise file.error(unknown.key, unknown.text)
    experiment = _at(file, scale, options or {})
    for other in file.scales:
        _at(file, other, {})
    return experiment


def _at(file: TomlFile, scale: str, options: Options) -> Experiment:
    """The experiment at a scale."""
    for unknown in unknown_keys(file.scale(scale), _TOP):
        raise file.error((SCALES, scale, *unknown.key), unknown.text)
    values = file.at(scale)
    for key, (_, value) in options.items():
        values = merged(values, _nested(key, value))
    try:
        return Experiment.model_validate(values)
    except ValidationError as error:
        key, text = key_and_text(error.errors())
        option = next((options[given][0] for given in options if key[: len(given)] == given), None)
        if option:
            raise settings_error(option, f"{dotted(key)}: {text}") from error
        raise file.error(file.origin(scale, key), text) from error


def _nested(key: Key, value: object) -> dict[str, Any]:
    for part in reversed(key):
        value = {str(part): value}
    return value  # type: ignore[return-value]  # a key has at least one part
