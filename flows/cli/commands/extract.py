"""`gradmix extract`: extract frames of videos."""

import time

import click

from data.counting import counted, tallied
from data.frames.sampling import USUAL_FRAMES, Sampling
from data.paths import expanded
from flows.cli.file_bar import NAMED, file_bar
from flows.cli.progress import duration
from tasks.extraction.folder import extract as extract_folder


def extract(
    videos: str, *, frames: int | None, every: int | None, out: str, max_broken: float
) -> None:
    """Extract with a progress bar on a terminal, then print a summary."""
    usual = USUAL_FRAMES if every is None else None
    sampling = Sampling(frames=usual if frames is None else frames, every=every)
    started, folder = time.monotonic(), expanded(out)
    with file_bar("clips") as report:
        found = extract_folder(
            expanded(videos),
            folder,
            sampling,
            max_broken,
            lambda done, total, _: report(done, total),
        )
    click.echo(
        f"{counted(found.clips - len(found.skipped), 'clip')}, {counted(found.frames, 'frame')} in "
        f"{duration(time.monotonic() - started)}: {folder / 'frames.parquet'}"
    )
    if found.ignored:
        click.echo(f"Ignored: {tallied(found.ignored)}.")
    if found.skipped:
        click.echo(f"{counted(len(found.skipped), 'clip')} left out ({folder / 'skipped.json'}):")
    for entry in found.skipped[:NAMED]:
        click.echo(f"  {entry['clip']}: {entry['reason']}")
