"""Experiment files: TOML settings, with exact error messages."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from data.paths import expanded
from flows.experiment.defaults import with_defaults
from flows.experiment.issues import Finding, unexplained, unknown_keys
from flows.experiment.own_data import OwnData, with_own_data
from flows.experiment.places import belonging
from flows.experiment.run_request import RunRequest
from flows.experiment.settings import Experiment
from flows.experiment.toml_file import (
    SCALES,
    Problem,
    TomlFile,
    merged,
    problem,
    read_toml,
    settings_error,
)
from flows.experiment.toml_lines import Key
from flows.experiment.validation import findings_in

Options = Mapping[Key, tuple[str, Any]]

_TOP = [name for name in Experiment.model_fields if name != "scale"]


def settings_of(request: RunRequest) -> Experiment:
    """The settings of the experiment with the overrides of a request applied.

    Raises:
        SettingsError: if the file or an option is wrong.
    """
    given: dict[Key, tuple[str, Any]] = {
        ("target", "k"): ("--k", list(request.k) or None),
        ("target", "draws"): ("--draws", request.draws),
        ("seed",): ("--seed", request.seed),
        ("network", "weights"): ("--weights", request.weights),
        ("partial",): ("--partial", request.partial or None),
    }
    for option, chosen in request.outputs.items():
        given["outputs", option.removeprefix("--")] = (option, chosen)
    options = {key: option for key, option in given.items() if option[1] is not None}
    return load_experiment(request.experiment, request.scale, options, request.data)


def load_experiment(
    name: str,
    scale: str | None = None,
    options: Options | None = None,
    data: str | None = None,
) -> Experiment:
    """Read an experiment at one scale; its other scales are checked too.

    Args:
        name: name of a packaged experiment, or the path of a `.toml` file.
        scale: a table under `[scales]` that overrides the file's values; None for `demo`, or the
            only one.
        options: values that override both, by key, each with the option's name for messages.
        data: folder that paths of the user's files are relative to; by default the file's.

    Raises:
        SettingsError: if anything is wrong; lists all problems, one per line.
    """
    file = read_toml(name)
    unknown = _unknown(file.document, [*_TOP, SCALES])
    if unknown and scale is not None and scale not in file.scales:
        # A misspelt [scales] explains the missing scale.
        raise settings_error(file.problem(entry.key, entry.text) for entry in unknown)
    base = own_base(name, data)
    experiment = _at(file, file.scale_named(scale), options or {}, unknown, base)
    others = [_at(file, other, {}, unknown, base) for other in file.scales]
    problems = [found for tried in (experiment, *others) for found in _problems(tried)]
    if problems or not isinstance(experiment, Experiment):
        raise settings_error(problems)
    return experiment


def own_base(name: str, data: str | None) -> Path:
    """Folder that the user's files are relative to: the experiment file's, or `--data`."""
    return (Path(name).parent if data is None else expanded(data)).absolute()


def _problems(tried: Experiment | list[Problem]) -> list[Problem]:
    return [] if isinstance(tried, Experiment) else tried


def _at(
    file: TomlFile, scale: str, options: Options, unknown: list[Finding], base: Path
) -> Experiment | list[Problem]:
    """The experiment at a scale, or its problems.

    Args:
        file: the file.
        scale: one of its scales.
        options: values that override the file's.
        unknown: unknown keys of the file.
        base: folder that paths of the user's files are relative to.
    """
    in_scale = _unknown(file.scale(scale), _TOP)
    wrong = [file.problem(entry.key, entry.text) for entry in unknown]
    wrong += [file.problem((SCALES, scale, *entry.key), entry.text) for entry in in_scale]
    values = {key: value for key, value in file.at(scale).items() if key in (*_TOP, "scale")}
    own = with_own_data(values, base)
    wrong += [file.problem(file.origin(scale, entry.key), entry.text) for entry in own.wrong]
    values = with_defaults(own.values, file.where)
    for key, (_, value) in options.items():
        values = merged(values, _nested(key, value))
    try:
        experiment = Experiment.model_validate(values | {"scale": scale})
    except ValidationError as error:
        found = unexplained(findings_in(error.errors()), [*unknown, *in_scale], _TOP)
        found = [belonging(entry, Experiment) for entry in found]
        return [*wrong, *(_placed(file, scale, options, entry, own) for entry in found)]
    return wrong or experiment


def _unknown(table: Iterable[str], known: Sequence[str]) -> list[Finding]:
    """Findings for the unknown keys at the top of the file or of a scale."""
    return [belonging(entry, Experiment) for entry in unknown_keys(table, known)]


def _placed(file: TomlFile, scale: str, options: Options, found: Finding, own: OwnData) -> Problem:
    """Place a finding at the option or line it comes from."""
    for key, (option, _) in options.items():
        if found.key[: len(key)] == key:
            return problem(option, found.key, found.text)
    for key, written in own.written.items():
        if found.key[: len(key)] == key:
            return file.problem(file.origin(scale, written), found.text)
    return file.problem(file.origin(scale, found.key), found.text)


def _nested(key: Key, value: object) -> dict[str, Any]:
    for part in reversed(key):
        value = {str(part): value}
    return value  # type: ignore[return-value]  # a key has at least one part
