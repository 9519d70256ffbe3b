"""Prepared data sets: folders with images, labels, a manifest and, optionally, sample names.

Images are memory-mapped copy-on-write: the processes of all slots share one copy, and a set may be
larger than memory.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.errors import DataError, one_line
from data.fingerprint import canonical_json
from data.reader import RawImages, Samples, check_image_arrays, check_samples
from data.tables.parquet import read_table, write_table

FORMAT_VERSION = 1
IMAGES, LABELS, MANIFEST, SAMPLES = "images.npy", "labels.npy", "manifest.json", "samples.parquet"
SCHEMA = pa.schema([("name", pa.string()), ("clip", pa.string()), ("group", pa.string())])


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A prepared data set.

    Attributes:
        images: uint8, or float16 for feature maps, [N, H, W, C], memory-mapped, C-contiguous.
        labels: int64 [N], indices into `classes`; -1 if unknown.
        classes: class names, in order.
        origin: one sentence on what the images are, how many, and whether they are official.
        samples: sample in each row; None if rows have no names.
    """

    images: npt.NDArray[Any]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    origin: str
    samples: Samples | None = None


@dataclass(frozen=True, kw_only=True)
class _Manifest:
    format: int
    sealed: bool
    rows: int
    classes: tuple[str, ...]
    origin: str
    official: bool


def save_prepared(raw: RawImages, folder: Path, sealed: bool, *, stored: bool = False) -> None:
    """Write images.npy, labels.npy, manifest.json and samples.parquet, deterministically.

    Args:
        raw: images of one split.
        folder: folder to write to, created if needed. The caller syncs and renames it.
        sealed: True for a test split, which only `data.sealed.open_sealed_test` can then read.
        stored: True if images.npy is already in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not stored:
        np.save(folder / IMAGES, np.ascontiguousarray(raw.images), allow_pickle=False)
    np.save(folder / LABELS, np.ascontiguousarray(raw.labels), allow_pickle=False)
    manifest = _Manifest(
        format=FORMAT_VERSION,
        sealed=sealed,
        rows=len(raw.labels),
        classes=raw.classes,
        origin=raw.origin,
        official=raw.official,
    )
    (folder / MANIFEST).write_text(canonical_json(asdict(manifest)) + "\n", encoding="ascii")
    if raw.samples is not None:
        texts = (raw.samples.names, raw.samples.clips, raw.samples.groups)
        columns = [pa.array(values, pa.string()) for values in texts]
        write_table(pa.Table.from_arrays(columns, schema=SCHEMA), folder / SAMPLES)


def read_prepared(folder: Path) -> Prepared:
    """Read a prepared data set for training and selection.

    Raises:
        DataError: if the folder contains a sealed test split, lacks a file, or its files do not
            match.
    """
    return _read_folder(folder, sealed=False)


def stored_images(folder: Path) -> npt.NDArray[Any]:
    """Memory-map the images [N, H, W, C] of an open set: uint8, or float16 feature maps.

    Raises:
        DataError: if the set is sealed or damaged.
    """
    if _manifest(folder).sealed:
        raise DataError(f"Expected an open data set in {folder}, found a sealed one.")
    return _array(folder / IMAGES, mapped=True)


def _read_folder(folder: Path, *, sealed: bool) -> Prepared:
    manifest = _manifest(folder)
    if manifest.sealed != sealed:
        wanted, found = ("a sealed", "an open") if sealed else ("an open", "a sealed")
        raise DataError(
            f"Expected {wanted} data set in {folder}, found {found} one: test splits are sealed, "
            "and only the evaluation stage opens them."
        )
    images, labels = _array(folder / IMAGES, mapped=True), _array(folder / LABELS)
    samples = _samples(folder / SAMPLES)
    classes = tuple(manifest.classes)
    check_image_arrays(images, labels, classes, str(folder), partly=samples is not None)
    if len(labels) != manifest.rows:
        raise DataError(
            f"{folder}: expected {manifest.rows} rows as in {MANIFEST}, found {len(labels)}: "
            "prepare it again."
        )
    check_samples(samples, len(labels), str(folder))
    return Prepared(
        images=images,
        labels=np.ascontiguousarray(labels),
        classes=classes,
        origin=manifest.origin,
        samples=samples,
    )


def _samples(path: Path) -> Samples | None:
    if not path.exists():
        return None
    table = read_table(path, SCHEMA, "samples")
    return Samples(
        names=tuple(table.column("name").to_pylist()),
        clips=tuple(table.column("clip").to_pylist()),
        groups=tuple(table.column("group").to_pylist()),
    )


def _manifest(folder: Path) -> _Manifest:
    path = folder / MANIFEST
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        manifest = _Manifest(**fields)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            f"Expected a prepared data set with {MANIFEST} in {folder}, found a missing or damaged "
            f"one ({one_line(error)}): prepare it again."
        ) from error
    if manifest.format != FORMAT_VERSION:
        raise DataError(
            f"{path}: expected format {FORMAT_VERSION}, found {manifest.format}: prepare it again "
            "with this version."
        )
    return manifest


def _array(path: Path, *, mapped: bool = False) -> npt.NDArray[Any]:
    try:
        # Copy-on-write, since torch requires writable memory.
        mode: Literal["c"] | None = "c" if mapped else None
        array: npt.NDArray[Any] = np.load(path, mmap_mode=mode, allow_pickle=False)
    # numpy parses the header as a Python literal and raises Python's errors.
    except Exception as error:
        raise DataError(
            f"Expected a numpy array in {path}, found a missing or damaged file "
            f"({one_line(error)}): prepare it again."
        ) from error
    return array
