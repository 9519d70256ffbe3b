"""`gradmix extract`: extract frames of videos."""

import time
from collections.abc import Sequence

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from data.frames.decode import USUAL_FRAMES, Sampling
from data.paths import expanded
from flows.cli.progress import duration
from tasks.extraction.folder import extract as extract_folder

NAMED = 10
"""Maximum clips named as left out; a file lists all of them."""


def extract(
    videos: str, *, frames: int | None, every: int | None, out: str, max_broken: float
) -> None:
    """Extract with a progress bar on a terminal, then print a summary."""
    usual = USUAL_FRAMES if every is None else None
    sampling = Sampling(frames=usual if frames is None else frames, every=every)
    started, folder = time.monotonic(), expanded(out)
    columns = (TextColumn("clips"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    plain = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=plain) as bar:
        shown = bar.add_task("clips", total=None)

        def report(done: int, total: int, slots: Sequence[str]) -> None:
            del slots
            bar.update(shown, completed=done, total=total)

        found = extract_folder(expanded(videos), folder, sampling, max_broken, report)
    click.echo(
        f"{found.clips - len(found.skipped):,} clips, {found.frames:,} frames in "
        f"{duration(time.monotonic() - started)}: {folder / 'frames.parquet'}"
    )
    if found.ignored:
        others = ", ".join(f"{count:,} {reason}" for reason, count in found.ignored.items())
        click.echo(f"Ignored: {others}.")
    if found.skipped:
        click.echo(f"{len(found.skipped):,} clips left out ({folder / 'skipped.json'}):")
    for entry in found.skipped[:NAMED]:
        click.echo(f"  {entry['clip']}: {entry['reason']}")
