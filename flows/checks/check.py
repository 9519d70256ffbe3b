"""All checks of a run before it starts."""

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
from flows.experiment.experiment_file import settings_of
from flows.experiment.inputs import check_apart
from flows.experiment.issues import Finding
from flows.experiment.run_request import RunRequest
from flows.experiment.run_spec import RunSpec, located
from flows.experiment.settings import Experiment
from flows.experiment.toml_file import Problem, SettingsError, TomlFile, problem, read_toml
from flows.experiment.toml_lines import Key
from flows.pipeline.plan import make_plan
from tasks.execution.slots import SlotPool

_KEY = re.compile(r"(?P<key>(target|network|images|training)(\.[a-z_]+)+): ")
"""Start of an error that names a key of the file."""
HEADERS = 20_000
"""Maximum files per role whose headers are read, evenly spaced."""
DECODED = 50
"""Files per role that a thorough check decodes completely, evenly spaced."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Result of a check.

    Attributes:
        problems: one line each, in the order of the file; a run with any would fail.
        experiment: the settings.
        spec: the run; None if there is a problem.
        found: every role of photos or clips, with a summary of its files.
        needs: resources the run needs; None if there is a problem.
        warnings: one line each.
    """

    problems: tuple[str, ...]
    experiment: Experiment
    spec: RunSpec | None = None
    found: tuple[tuple[Role, Summary], ...] = ()
    needs: Needs | None = None
    warnings: tuple[str, ...] = ()


class CheckError(SettingsError):
    """All problems of a run, one per line."""


def check_run(
    request: RunRequest, home: Path, known: KnownDigests, *, thorough: bool = False
) -> Checked:
    """Check a run without starting it; nothing is written.

    Args:
        request: the request.
        home: the home folder, which need not exist.
        known: known digests of files; new ones are added.
        thorough: decode some files, look for near-duplicates, estimate time and space.

    Raises:
        SettingsError: if the experiment file itself is wrong; lists all errors.
    """
    experiment = settings_of(request)
    file = read_toml(request.experiment)
    roles = find_roles(experiment, request)
    found = _look(roles, decoded=DECODED if thorough else 0)
    bytes_of, unread = _read(roles, known)
    # Locating the run would report missing files again, without a line number.
    missing = [*roles.wrong, *unread] or [*empty_unlabelled(roles, bytes_of)]
    findings = [*_wrong(experiment, roles, found), *missing]
    spec = None
    if not missing:
        shared = [*wrong_shared(roles, bytes_of)]
        spec, more = _located(request, known, experiment, apart=not shared)
        findings += [*shared, *more]
    result = Checked(
        problems=_messages(file, experiment.scale, findings, home),
        experiment=experiment,
        spec=spec,
        found=found,
    )
    if not thorough or missing:
        return result
    # A run that has problems is not timed, which would load torch.
    fine = not result.problems
    needs = _needs(spec, roles, home, timed=fine) if spec is not None else None
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
    """One line per problem, in the order of the file."""
    problems = {placed(file, scale, finding) for finding in findings}
    problems |= {problem("--home", (), text) for text in [home_problem(home)] if text}
    return tuple(found.message for found in sorted(problems))


def _needs(spec: RunSpec, roles: Roles, home: Path, *, timed: bool) -> Needs:
    slots = SlotPool.of_this_machine(ask_torch=False).slots
    return needs_of(spec.experiment, roles, make_plan(spec, home), home, slots, timed=timed)


def checked(request: RunRequest, home: Path, known: KnownDigests) -> RunSpec:
    """Check a request; returns its run specification.

    Raises:
        CheckError: if there are problems; lists all of them.
        SettingsError: if the experiment file itself is wrong.
    """
    result = check_run(request, home, known)
    if result.spec is None or result.problems:
        raise CheckError("\n".join(result.problems))
    return result.spec


def placed(file: TomlFile, scale: str, finding: Finding) -> Problem:
    """Place a finding at its line of the file, or at the nearest table if the key is not there."""
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
    """Digests of all files, and findings for unreadable files."""
    found: dict[int, Contents] = {}
    wrong = []
    for role in roles.found:
        try:
            found[id(role)] = contents(role.listing, known)
        except (DataError, OSError) as error:
            wrong.append(Finding(role.key, f"expected files that can be read, found: {error}"))
    return found, wrong


def _located(
    request: RunRequest, known: KnownDigests, experiment: Experiment, *, apart: bool
) -> tuple[RunSpec | None, list[Finding]]:
    """Locate the run's inputs; returns it with problems of data, classes, trunk and weights.

    Args:
        request: the request.
        known: known digests of files.
        experiment: the settings.
        apart: look for files in two places, unless `wrong_shared` has found some.
    """
    try:
        spec = located(request, known, experiment)
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
    """Lines of an error as findings, each at the key it starts with."""
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
