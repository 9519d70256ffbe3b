"""`gradmix init`: write an experiment file from existing folders."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from data.digest_cache import KnownDigests
from data.embedded.example import write_example
from data.errors import UserError
from flows.checks.check import Checked, check_run
from flows.checks.describe import summary_lines
from flows.cli.console import open_console, short
from flows.cli.resolution import reading_spinner
from flows.drafting.draft import Drafted, draft, named_trunk, out_of, refuse_taken
from flows.drafting.recognise import Given
from flows.experiment.run_request import RunRequest
from flows.experiment.toml_file import SettingsError


def init(
    *,
    folders: tuple[str, ...],
    target: str | None,
    unlabelled: tuple[str, ...],
    test: str | None,
    source: tuple[str, ...],
    trunk: str | None,
    weights: str | None,
    example: str | None,
    out: str | None,
    home: Path,
    force: bool,
) -> None:
    """Look at the folders, write the file, and print what was found."""
    console = open_console()
    given = Given(
        folders=tuple(map(Path, [*folders, *([example] if example else [])])),
        target=Path(target) if target else None,
        unlabelled=tuple(map(Path, unlabelled)),
        test=Path(test) if test else None,
        sources=tuple(map(Path, source)),
    )
    if not given.folders and given.target is None:
        raise SettingsError(
            "init: expected a folder to look into, found none; name one, or --target, "
            "--unlabelled and --source, or try --example DIR."
        )
    pretrained = named_trunk(trunk, weights)
    path = out_of(given, Path(out) if out else None)
    refuse_taken(path, force=force)
    if example:
        write_example(Path(example), force=force)
        console.print(f"{example}: drawn photos to try things with.", soft_wrap=True)
    made = draft(given, path, pretrained, quick=example is not None)
    for line in _said(console, made, home):
        console.print(line, soft_wrap=True)


def _said(console: Console, made: Drafted, home: Path) -> Iterator[str]:
    """What was found, what to fix, and what to do next."""
    request = RunRequest(experiment=str(made.path))
    known = KnownDigests(home)
    with reading_spinner(console, request):
        try:
            result = check_run(request, home, known, thorough=True)
        except UserError as error:
            yield from (f"to fix: {line}" for line in error.lines)
            return
    known.save()
    yield from _found(result)
    for place in made.layout.unused:
        yield f"not used: {short(place)}"
    if result.problems:
        yield from (f"to fix: {problem}" for problem in result.problems)
        yield f"Wrote {made.path}. Next: fix these, then gradmix check {made.path}"
        return
    yield f"Wrote {made.path}. Next: gradmix check {made.path}, then gradmix run {made.path}"


def _found(result: Checked) -> Iterator[str]:
    for role, summary in result.found:
        yield from summary_lines(role.name, summary)
    yield from (f"warning: {warning}" for warning in result.warnings)
