"""Checks of photos and clips: unreadable or too small."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from data.counting import counted, singular, tallied
from data.survey.headers import Header
from data.survey.summary import Summary
from flows.checks.roles import Role
from flows.experiment.datasets import Images
from flows.experiment.issues import Finding, said

SMALLEST = 8
"""Minimum pixels of the shorter side for a picture to show anything."""
ENLARGED = 2
"""Enlargement that gives a warning."""

Summaries = Sequence[tuple[Role, Summary]]
"""Each role with the summary of its files."""


def wrong_pictures(images: Images, found: Summaries) -> Iterator[Finding]:
    """Problems: too many unreadable files, or pictures without detail."""
    for role, summary in found:
        broken, looked_at = summary.broken, summary.looked_at
        if len(broken) > images.max_broken * looked_at or len(broken) == looked_at:
            expected = f"at most {images.max_broken:.0%} {summary.media} that cannot be read"
            count = f"{len(broken):,} of {looked_at:,}, the first of which is {_why(broken[0])}"
            advice = "replace or remove them, or raise images.max_broken"
            yield Finding(role.key, said(expected, count, advice))
        tiny = [header for header in summary.small if header.side < SMALLEST]
        if tiny:
            expected = f"{summary.media} of at least {SMALLEST} pixels a side"
            count = f"{counted(len(tiny), 'smaller one')}, as {_size(tiny[0])}"
            yield Finding(role.key, said(expected, count, "remove or replace them"))


def picture_warnings(images: Images, found: Summaries) -> Iterator[str]:
    """Warnings: a few unreadable files, unsupported formats, and enlarged pictures."""
    for role, summary in found:
        name, media = role.name, summary.media
        looked_at = summary.looked_at
        if 0 < len(summary.broken) <= images.max_broken * looked_at:
            yield (
                f"{name}: {len(summary.broken):,} of {counted(looked_at, singular(media))} "
                f"cannot be read and will be left out, as {_why(summary.broken[0])}."
            )
        small = [header for header in summary.small if header.side * ENLARGED <= images.side]
        if small and small[0].side >= SMALLEST:
            yield (
                f"{name}: {len(small):,} of {counted(looked_at, singular(media))} would be "
                f"enlarged {ENLARGED} times or more to images.side = {images.side}, as "
                f"{_size(small[0])}; a smaller side trains faster and shows as much."
            )
        if summary.skipped:
            yield f"{name}: left out: {tallied(summary.skipped)}."


def shortest(path: Path) -> str:
    """A path for messages, relative to the working directory if below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _why(header: Header) -> str:
    return f"{shortest(header.path)} ({header.problem})"


def _size(header: Header) -> str:
    return f"{shortest(header.path)} of {header.width} x {header.height}"
