"""Labels for files, part by part; finished parts survive a crash or kill."""

import json
import os
import shutil
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
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
"""Batches per block. A part is whole blocks, so that a resumed run has the same batches."""
EVERY_S = 5.0
"""Seconds between parts: the work that a kill can lose, at least one block."""
WORK = "work.json"
NAMED = 3

OnProgress = Callable[[int, int], None]
"""Called with the number of finished files and the total."""


@dataclass
class Timing:
    """Seconds spent in the loop, and in the network as part of it."""

    whole_s: float = 0.0
    network_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Result of a labelling.

    Attributes:
        files: number of files with a label.
        skipped: path and reason of each file without one.
        skipped_table: table that lists these.
        counts: number of files by class, for classes that have some.
        reused: number of files whose labels were left by an earlier run of the command.
        timing: timing of the rest.
    """

    files: int
    skipped: Sequence[Row]
    skipped_table: Path
    reused: int
    timing: Timing = field(default_factory=Timing)
    counts: Mapping[str, int] = field(default_factory=dict)


def label_files(
    model: Model, items: Sequence[Item], out: Path, batch_size: int, on_progress: OnProgress
) -> Labelled:
    """Write a table with labels of all readable files, and one of the other files.

    Until the table is complete, parts are kept in a folder next to it, named after it; another run
    with the same files and model continues from them.

    Args:
        model: the model.
        items: the files, each once.
        out: path of the table, CSV or Parquet.
        batch_size: number of images or frames in a batch.
        on_progress: called with progress.

    Raises:
        DataError: if no file can be read, or the table cannot be written.
        HomeError: if another process is writing the same table.
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
        on_progress(reused, len(items))
        for rows in _blocks(model, items[reused:], block, batch_size, timing):
            done += rows
            if len(done) == len(items) or time.monotonic() - saved >= EVERY_S:
                write_part(done[written:], folder / _name(written))
                written, saved = len(done), time.monotonic()
            on_progress(len(done), len(items))
        good = [row for row in done if not row[REASON]]
        bad = [row for row in done if row[REASON]]
        if not good:
            shutil.rmtree(folder, ignore_errors=True)
            raise _nothing(bad)
        write_skipped(bad, skipped_table)
        write_labels(good, out, {"gradmix.model": model.digest})
    shutil.rmtree(folder, ignore_errors=True)
    return Labelled(
        files=len(good),
        skipped=bad,
        skipped_table=skipped_table,
        reused=reused,
        timing=timing,
        counts=Counter(str(row["label"]) for row in good),
    )


def skipped_beside(out: Path) -> Path:
    """Table that lists the files without a label."""
    return out.with_name(f"{out.stem}.skipped.csv")


def _block(model: Model, batch_size: int) -> int:
    """Number of files in a block."""
    return max(1, BLOCK * batch_size // (model.description.images.frames or 1))


def _blocks(
    model: Model, items: Sequence[Item], block: int, batch_size: int, timing: Timing
) -> Iterator[list[Row]]:
    """Yield the blocks' rows in order, while files of the next blocks are decoded."""
    started, cores = time.monotonic(), usable_cores()
    images = model.description.images
    # Pillow's warnings must not stop the run, and filters cannot be set per thread.
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
    """Fill in the labels of the given files' rows."""
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
    """Mean probabilities [R, N, C] over each file's frames, from [R, sum of counts, C]."""
    return torch.stack(
        [part.mean(1) for part in torch.split(by_member, list(counts), dim=1)], dim=1
    )


def _frames(file: Decoded) -> Any:  # noqa: ANN401 - uint8 [F, H, W, C]
    return file.frames


def _identity(model: Model, items: Sequence[Item], block: int) -> str:
    """Digest of the model and of the files' names, sizes and modification times."""
    files = []
    for item in items:
        try:
            status = os.stat(item.path)  # noqa: PTH116 - faster for thousands of files
            files.append([item.path, item.media, status.st_size, status.st_mtime_ns])
        except OSError:
            files.append([item.path, item.media, None, None])
    return digest_json({"model": model.digest, "files": files, "block": block})


def _open(folder: Path, identity: str) -> None:
    """Drop parts left by other files or another model."""
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
    """Rows of the finished parts, up to the first missing or damaged one."""
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
