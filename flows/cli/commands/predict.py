"""`gradmix predict`: label files with a model."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from data.counting import counted, tallied
from data.paths import expanded
from flows.cli.console import open_console, short
from flows.cli.file_bar import NAMED, file_bar
from flows.cli.model_argument import model_folder
from flows.cli.progress import duration
from tasks.models.devices import device_named
from tasks.models.network import load_model_folder
from tasks.prediction.inputs import list_items
from tasks.prediction.labelling import Labelled, label_files
from tasks.prediction.tables import check_out

MOST_CLASSES = 12
"""Classes whose files are counted in the summary."""


def predict(
    model: str,
    *,
    where: Path,
    paths: Sequence[str],
    out: str,
    batch_size: int,
    device: str | None,
) -> None:
    """Label with a progress bar on a terminal, then print a summary."""
    table, started, console = expanded(out), time.monotonic(), open_console()
    check_out(table)
    with model_folder(model, where) as folder:
        loaded = load_model_folder(folder, device_named(device))
    items, others = list_items(paths, loaded.description.images.media)
    with file_bar("files") as report:
        found = label_files(loaded, items, table, batch_size, report)
    for line in summary(found, others, table, time.monotonic() - started):
        console.print(line, soft_wrap=True)


def summary(found: Labelled, others: dict[str, int], table: Path, seconds: float) -> list[str]:
    """Summary of a labelling, as lines."""
    timing = found.timing
    share = f", {timing.network_s / timing.whole_s:.0%} of the reading in the network"
    lines = [
        f"{counted(found.files, 'file')} labelled in {duration(seconds)}"
        f"{share if timing.whole_s else ''}: {short(table)}"
    ]
    if found.counts:
        lines.append(f"Classes: {by_class(found.counts)}.")
    if found.reused:
        lines.append(f"{found.reused:,} of them were labelled before.")
    if others:
        lines.append(f"Ignored: {tallied(others)}.")
    if found.skipped:
        lines.append(
            f"{counted(len(found.skipped), 'file')} left out ({short(found.skipped_table)}):"
        )
        lines += [f"  {row['path']}: {row['reason']}" for row in found.skipped[:NAMED]]
    lines.append(
        f"Next: look at the least confident rows of {short(table)}; for labels with a stated "
        "precision, see gradmix label --help."
    )
    return lines


def by_class(counts: Mapping[str, int]) -> str:
    """Files by class, the most frequent first; of many classes, those."""
    often = sorted(counts.items(), key=lambda one: -one[1])
    more = len(often) - MOST_CLASSES
    shown = ", ".join(f"{name} {count:,}" for name, count in often[:MOST_CLASSES])
    return f"{shown} and {counted(more, 'other')}" if more > 0 else shown
