"""Photos and clips themselves: unreadable ones, and ones that are too small."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from data.survey.headers import Header
from data.survey.summary import Summary
from flows.checks.roles import Role
from flows.experiment.datasets import Images
from flows.experiment.issues import Finding, said

SMALLEST = 8
"""Pixels of the shorter side below which a picture shows nothing."""
ENLARGED = 2
"""So many times enlarged, a picture is worth a warning."""

Summaries = Sequence[tuple[Role, Summary]]
"""What was found of each role."""


def wrong_pictures(images: Images, found: Summaries) -> Iterator[Finding]:
    """Too many unreadable files, and pictures without detail."""
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
            count = f"{len(tiny):,} smaller ones, as {_size(tiny[0])}"
            yield Finding(role.key, said(expected, count, "remove or replace them"))


def picture_warnings(images: Images, found: Summaries) -> Iterator[str]:
    """A few unreadable files, formats that are not read, and pictures that are enlarged."""
    for role, summary in found:
        name, media = role.name, summary.media
        looked_at = summary.looked_at
        if 0 < len(summary.broken) <= images.max_broken * looked_at:
            yield (
                f"{name}: {len(summary.broken):,} of {looked_at:,} {media} cannot be read and will "
                f"be left out, as {_why(summary.broken[0])}."
            )
        small = [header for header in summary.small if header.side * ENLARGED <= images.side]
        if small and small[0].side >= SMALLEST:
            yield (
                f"{name}: {len(small):,} of {looked_at:,} {media} are enlarged {ENLARGED} times or "
                f"more to images.side = {images.side}, as {_size(small[0])}; a smaller side trains "
                "faster and shows as much."
            )
        for why, count in summary.skipped.items():
            yield f"{name}: left out: {count:,} {why}."


def shortest(path: Path) -> str:
    """A path as a message has it: below the working directory where it is."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _why(header: Header) -> str:
    return f"{shortest(header.path)} ({header.problem})"


def _size(header: Header) -> str:
    return f"{shortest(header.path)} of {header.width} x {header.height}"
