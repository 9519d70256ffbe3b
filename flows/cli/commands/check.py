"""`gradmix check`: check a run before it starts."""

from collections.abc import Iterator
from pathlib import Path

from data.counting import counted
from data.digest_cache import KnownDigests
from flows.checks.check import Checked, CheckError, check_run
from flows.checks.describe import summary_lines
from flows.checks.needs import Needs, gib
from flows.cli.console import open_console, short
from flows.cli.progress import duration
from flows.cli.resolution import reading_spinner
from flows.experiment.run_request import RunRequest


def check(request: RunRequest, *, home: Path) -> None:
    """Print what was found and any warnings; all problems are one error."""
    console = open_console()
    known = KnownDigests(home)
    with reading_spinner(console, request):
        result = check_run(request, home, known, thorough=True)
    # The only thing a check writes, and only if the home folder exists.
    known.save()
    if result.problems:
        raise CheckError("\n".join(result.problems))
    for line in _lines(result, home):
        console.print(line, soft_wrap=True)
    for warning in result.warnings:
        console.print(f"warning: {warning}", soft_wrap=True)
    last = f"No problem, {_number(len(result.warnings))}: {request.experiment} can run."
    console.print(last, soft_wrap=True)


def _lines(result: Checked, home: Path) -> Iterator[str]:
    for role, summary in result.found:
        yield from summary_lines(role.name, summary)
    if result.needs is not None:
        yield from _needs(result.needs, home)


def _needs(needs: Needs, home: Path) -> Iterator[str]:
    words = (
        f"{needs.to_run:,} of {counted(needs.trainings, 'training')} will run on "
        f"{counted(needs.slots, 'slot')}"
    )
    if needs.to_run:
        about = "time unknown" if needs.seconds is None else f"about {duration(needs.seconds)}"
        words += f": {about} ({needs.basis})"
    yield words
    yield f"room: about {gib(needs.bytes)} in {short(home)}, {gib(needs.free)} are free"


def _number(warnings: int) -> str:
    return counted(warnings, "warning") if warnings else "no warning"
