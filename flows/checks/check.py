"""All that can be known of a run before a minute is spent on it, in one place."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from data.digest_cache import KnownDigests
from data.errors import DataError, UserError
from data.survey.copies import Contents, contents
from data.survey.summary import Summary, summarise
from flows.checks.needs import Needs, home_problem, needs_of
from flows.checks.numbers import few_left, number_warnings, wrong_numbers
from flows.checks.pictures import Summaries, picture_warnings, wrong_pictures
from flows.checks.roles import Role, Roles, find_roles
from flows.checks.shared import empty_unlabelled, shared_warnings, wrong_shared
from flows.experiment.corrected import check_labelled
from flows.experiment.inputs import check_apart
from flows.experiment.issues import Finding
from flows.experiment.run_request import RunRequest
from flows.experiment.run_spec import RunSpec, located, settings_of
from flows.experiment.settings import Experiment
from flows.experiment.toml_file import Problem, SettingsError, TomlFile, problem, read_toml
from flows.experiment.toml_lines import Key
from flows.pipeline.plan import make_plan
from tasks.execution.slots import SlotPool

_KEY = re.compile(r"(?P<key>(target|network|images|training)(\.[a-z_]+)+): ")
"""What an error that names a key of the file begins with."""
HEADERS = 20_000
"""Files of a role whose first bytes are read; of more, so many evenly spaced ones."""
DECODED = 50
"""Files of a role that are decoded whole, evenly spaced, where there is time for it."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a check found.

    Attributes:
        problems: one line each, in the order of the file; a run with any would fail.
        experiment: the settings.
        spec: the run; None if there is a problem.
        found: every role of photos or clips, with what was seen of it.
        needs: of the run; None if there is a problem.
        warnings: one line each.
    """

    problems: tuple[str, ...]
    experiment: Experiment
    spec: RunSpec | None = None
    found: tuple[tuple[Role, Summary], ...] = ()
    needs: Needs | None = None
    warnings: tuple[str, ...] = ()


class CheckError(SettingsError):
    """All problems of a run: a line each."""


def check_run(
    request: RunRequest, home: Path, known: KnownDigests, *, thorough: bool = False
) -> Checked:
    """Check a run without starting it; nothing is written.

    Args:
        request: what is asked for.
        home: the home folder, which need not exist.
        known: digests of files that were taken before; new ones are added.
        thorough: decode some files, look for near-duplicates, estimate time and room.

    Raises:
        SettingsError: if the experiment file itself is wrong: all that is.
    """
    experiment = settings_of(request)
    file = read_toml(request.experiment)
    roles = find_roles(experiment, request)
    found = _look(roles, decoded=DECODED if thorough else 0)
    bytes_of, unread = _read(roles, known)
    # What is missing here would be said again, without a line, where the run is put together.
    missing = [*roles.wrong, *unread] or [*empty_unlabelled(roles, bytes_of)]
    findings = [*_wrong(experiment, roles, found), *missing]
    spec = None
    if not missing:
        shared = [*wrong_shared(roles, bytes_of)]
        spec, more = _located(request, known, apart=not shared)
        findings += [*shared, *more]
    result = Checked(
        problems=_messages(file, experiment.scale, findings, home),
        experiment=experiment,
        spec=spec,
        found=found,
    )
    if not thorough or missing:
        return result
    needs = _needs(spec, roles, home) if spec is not None else None
    return replace(
        result,
        problems=(*result.problems, *(needs.problems if needs else ())),
        needs=needs,
        warnings=tuple(_warnings(experiment, roles, found, bytes_of, known)),
    )


def _wrong(experiment: Experiment, roles: Roles, found: Summaries) -> Iterator[Finding]:
    yield from wrong_numbers(experiment.target, roles)
    if experiment.images is not None:
        yield from wrong_pictures(experiment.images, found)


def _messages(
    file: TomlFile, scale: str, findings: Iterable[Finding], home: Path
) -> tuple[str, ...]:
    """A line for each problem, in the order of the file."""
    problems = {placed(file, scale, finding) for finding in findings}
    problems |= {problem("--home", (), text) for text in [home_problem(home)] if text}
    return tuple(found.message for found in sorted(problems))


def _needs(spec: RunSpec, roles: Roles, home: Path) -> Needs:
    slots = SlotPool.of_this_machine(ask_torch=False).slots
    return needs_of(spec.experiment, roles, make_plan(spec, home), home, slots)


def checked(request: RunRequest, home: Path, known: KnownDigests) -> RunSpec:
    """The specification of a run that has passed its checks.

    Raises:
        CheckError: if it has not: all problems.
        SettingsError: if the experiment file itself is wrong.
    """
    result = check_run(request, home, known)
    if result.spec is None or result.problems:
        raise CheckError("\n".join(result.problems))
    return result.spec


def placed(file: TomlFile, scale: str, finding: Finding) -> Problem:
    """A finding at its line of the file; at the nearest table if its key is not written."""
    key = finding.key
    if not key:
        return problem(file.where, (), finding.text)
    found = file.problem(file.origin(scale, key), finding.text)
    above = key
    while not found.line and len(above) > 1:
        above = above[:-1]
        line = file.problem(file.origin(scale, above), finding.text).line
        if line:
            return problem(f"{file.where}:{line}", key, finding.text, line)
    return found


def _look(roles: Roles, *, decoded: int) -> tuple[tuple[Role, Summary], ...]:
    return tuple(
        (role, summarise(role.listing, role.media, headers=HEADERS, decoded=decoded))
        for role in roles.found
    )


def _read(roles: Roles, known: KnownDigests) -> tuple[dict[int, Contents], list[Finding]]:
    """The digests of all files, and the files that cannot be read."""
    found: dict[int, Contents] = {}
    wrong = []
    for role in roles.found:
        try:
            found[id(role)] = contents(role.listing, known)
        except (DataError, OSError) as error:
            wrong.append(Finding(role.key, f"expected files that can be read, found: {error}"))
    return found, wrong


def _located(
    request: RunRequest, known: KnownDigests, *, apart: bool
) -> tuple[RunSpec | None, list[Finding]]:
    """The run, and what its data, classes, labels, trunk and weights lack.

    Args:
        request: what is asked for.
        known: digests of files.
        apart: look for files in two places, which `wrong_shared` has not found among files.
    """
    try:
        spec = located(request, known)
    except UserError as error:
        return None, _findings(error)
    wrong = []
    for check in ([check_apart] if apart else []) + [check_labelled]:
        try:
            check(spec.experiment, spec.raw)
        except UserError as error:
            wrong += _findings(error)
    return spec, wrong


def _findings(error: UserError) -> list[Finding]:
    """The lines of an error, at the key that each begins with."""
    found = []
    for line in error.lines:
        match = _KEY.match(line)
        key: Key = tuple(match["key"].split(".")) if match else ()
        found.append(Finding(key, line[match.end() :] if match else line))
    return found


def _warnings(
    experiment: Experiment,
    roles: Roles,
    found: Summaries,
    bytes_of: Mapping[int, Contents],
    known: KnownDigests,
) -> Iterator[str]:
    looks: Iterable[Callable[[], Iterator[str]]] = (
        lambda: number_warnings(experiment.target, roles),
        lambda: few_left(experiment, roles),
        lambda: shared_warnings(roles, bytes_of, known),
    )
    if experiment.images is not None:
        yield from picture_warnings(experiment.images, found)
    for look in looks:
        yield from look()
