"""Labels for files, part by part: a finished part survives whatever ends the process."""

import json
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data.atomic import write_atomically
from data.errors import DataError
from data.fingerprint import digest_json
from tasks.execution.devices import usable_cores
from tasks.models.labels import labels_of
from tasks.models.network import Model
from tasks.prediction.inputs import Decoded, Item, decoded
from tasks.prediction.tables import (
    REASON,
    Row,
    check_out,
    read_part,
    write_labels,
    write_part,
    write_skipped,
)
from tasks.storage.home import exclusive

BLOCK = 2
"""Batches of a block. A part is some blocks, so that the network reads the same batches again."""
EVERY_S = 5.0
"""Seconds between two parts: what a kill costs, at least a block."""
WORK = "work.json"
NAMED = 3

Tell = Callable[[int, int], None]
"""Told how many files are done, and how many there are."""


@dataclass
class Timing:
    """Seconds of the loop, and of them those in the network."""

    whole_s: float = 0.0
    network_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """What was done.

    Attributes:
        files: with a label.
        skipped: path and reason of those without.
        skipped_table: where these are listed.
        reused: files whose labels an earlier run of the command had left.
        timing: of the rest.
    """

    files: int
    skipped: Sequence[Row]
    skipped_table: Path
    reused: int
    timing: Timing = field(default_factory=Timing)


def label_files(
    model: Model, items: Sequence[Item], out: Path, batch_size: int, tell: Tell
) -> Labelled:
    """Write a table with the label of every file that can be read, and one of the others.

    Parts lie beside the table, in a folder named after it, until the table is whole; the same
    files and model go on from them.

    Args:
        model: that labels.
        items: the files, each once.
        out: the table, CSV or Parquet.
        batch_size: images, or frames, that the network reads at once.
        tell: called with progress.

    Raises:
        DataError: if no file can be read, or the table cannot be written.
        HomeError: if another process writes the same table.
    """
    check_out(out)
    folder, skipped_table = out.with_name(f"{out.name}.parts"), skipped_beside(out)
    folder.mkdir(exist_ok=True)
    with exclusive(folder, "choose another --out"):
        block = _block(model, batch_size)
        _open(folder, _identity(model, items, block))
        done = _finished(folder, items, block)
        reused, saved, timing = len(done), time.monotonic(), Timing()
        written = reused
        tell(reused, len(items))
        for rows in _blocks(model, items[reused:], block, batch_size, timing):
            done += rows
            if len(done) == len(items) or time.monotonic() - saved >= EVERY_S:
                write_part(done[written:], folder / _name(written))
                written, saved = len(done), time.monotonic()
            tell(len(done), len(items))
        good = [row for row in done if not row[REASON]]
        bad = [row for row in done if row[REASON]]
        if not good:
            shutil.rmtree(folder, ignore_errors=True)
            raise _nothing(bad)
        write_skipped(bad, skipped_table)
        write_labels(good, out, {"gradmix.model": model.digest})
    shutil.rmtree(folder, ignore_errors=True)
    return Labelled(
        files=len(good), skipped=bad, skipped_table=skipped_table, reused=reused, timing=timing
    )


def skipped_beside(out: Path) -> Path:
    """Where the files without a label are listed."""
    return out.with_name(f"{out.stem}.skipped.csv")


def _block(model: Model, batch_size: int) -> int:
    """Files of a block."""
    return max(1, BLOCK * batch_size // (model.description.images.frames or 1))


def _blocks(
    model: Model, items: Sequence[Item], block: int, batch_size: int, timing: Timing
) -> Iterator[list[Row]]:
    """The rows of the blocks, in order, while files of the next ones are decoded."""
    started, cores = time.monotonic(), usable_cores()
    images = model.description.images
    # Pillow's warnings are no reason to stop, and threads cannot each have filters of their own.
    with warnings.catch_warnings(), ThreadPoolExecutor(cores) as pool:
        warnings.simplefilter("ignore")
        ahead = decoded(items, images, pool, 2 * max(cores, batch_size // (images.frames or 1)))
        try:
            for start in range(0, len(items), block):
                files = (next(ahead) for _ in items[start : start + block])
                rows = _labelled(model, files, batch_size, timing)
                timing.whole_s = time.monotonic() - started
                yield rows
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _labelled(model: Model, files: Iterator[Decoded], batch_size: int, timing: Timing) -> list[Row]:
    """A row for each file, in order."""
    rows: list[Row] = []
    waiting: list[Decoded] = []
    count = 0
    for file in files:
        rows.append({"path": file.item.path, REASON: file.reason})
        if file.frames is None:
            continue
        waiting.append(file)
        count += len(file.frames)
        if count >= batch_size:
            _fill(rows, model, waiting, batch_size, timing)
            waiting, count = [], 0
    _fill(rows, model, waiting, batch_size, timing)
    return rows


def _fill(
    rows: list[Row],
    model: Model,
    files: Sequence[Decoded],
    batch_size: int,
    timing: Timing,
) -> None:
    """Give the last rows without a label theirs."""
    if not files:
        return
    frames = torch.from_numpy(np.concatenate([_frames(file) for file in files]))
    started = time.monotonic()
    parts = [
        model.probabilities(frames[start : start + batch_size])
        for start in range(0, len(frames), batch_size)
    ]
    timing.network_s += time.monotonic() - started
    by_file = _means(torch.cat(parts, dim=1), [len(_frames(file)) for file in files])
    labels = iter(labels_of(by_file, model.description.classes))
    for place, row in enumerate(rows):
        if not row[REASON] and "label" not in row:
            rows[place] = {**row, **next(labels).columns}


def _means(by_member: Tensor, counts: Sequence[int]) -> Tensor:
    """Mean probabilities [R, N, C] over each file's frames, of [R, sum of counts, C]."""
    return torch.stack(
        [part.mean(1) for part in torch.split(by_member, list(counts), dim=1)], dim=1
    )


def _frames(file: Decoded) -> Any:  # noqa: ANN401 - uint8 [F, H, W, C]
    return file.frames


def _identity(model: Model, items: Sequence[Item], block: int) -> str:
    """Of the model and of the files, by name, size and time of change."""
    files = []
    for item in items:
        try:
            status = os.stat(item.path)  # noqa: PTH116 - of thousands of files
            files.append([item.path, item.media, status.st_size, status.st_mtime_ns])
        except OSError:
            files.append([item.path, item.media, None, None])
    return digest_json({"model": model.digest, "files": files, "block": block})


def _open(folder: Path, identity: str) -> None:
    """Drop the parts of other files or of another model."""
    work = folder / WORK
    try:
        same = json.loads(work.read_text(encoding="utf-8"))["identity"] == identity
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if not same:
        for path in folder.glob("part-*"):
            path.unlink()
        write_atomically(work, json.dumps({"identity": identity}) + "\n")


def _finished(folder: Path, items: Sequence[Item], block: int) -> list[Row]:
    """The rows of the finished parts, up to the first that is missing or damaged."""
    rows: list[Row] = []
    while len(rows) < len(items):
        path = folder / _name(len(rows))
        part = read_part(path) if path.exists() else None
        names = [item.path for item in items[len(rows) : len(rows) + len(part or ())]]
        if not part or [row["path"] for row in part] != names:
            break
        rows += part
    whole = len(rows) == len(items) or not len(rows) % block
    return rows if whole else []


def _name(start: int) -> str:
    return f"part-{start:09d}.parquet"


def _nothing(bad: Sequence[Row]) -> DataError:
    first = "; ".join(row[REASON] or "" for row in bad[:NAMED])
    return DataError(
        f"expected at least one file that can be read, found {len(bad):,} that cannot, the first "
        f"of which are: {first}"
    )
