"""Prepared data sets: a folder with the images, the labels and a manifest.

Nothing is memory-mapped: a loaded set is one resident tensor, from which batches are indexed.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from data.errors import DataError, one_line
from data.fingerprint import canonical_json
from data.reader import RawImages, check_image_arrays

FORMAT_VERSION = 1
IMAGES, LABELS, MANIFEST = "images.npy", "labels.npy", "manifest.json"


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """A data set in memory.

    Attributes:
        images: uint8 [N, H, W, C], contiguous, so that `images.permute(0, 3, 1, 2)` is
            channels-last without a copy.
        labels: int64 [N], positions in `classes`.
        classes: the class names, in order.
        origin: one sentence: what the images are, how many, official or not.
    """

    images: torch.Tensor
    labels: torch.Tensor
    classes: tuple[str, ...]
    origin: str

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)


@dataclass(frozen=True, kw_only=True)
class _Manifest:
    format: int
    sealed: bool
    rows: int
    classes: tuple[str, ...]
    origin: str
    official: bool


def save_prepared(raw: RawImages, folder: Path, sealed: bool) -> None:
    """Write images.npy, labels.npy and manifest.json; same input, same bytes.

    Args:
        raw: the images of one split.
        folder: where to write; made if needed. The caller makes it durable and renames it.
        sealed: True for a test split: only `data.sealed.open_sealed_test` reads it then.
    """
    folder.mkdir(parents=True, exist_ok=True)
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


def load_prepared(folder: Path) -> ImageSet:
    """Load a prepared data set that training and selection may see.

    Raises:
        DataError: if the folder holds a sealed test split, lacks a file, or its files do not
            belong together.
    """
    return _read_folder(folder, sealed=False)


def _read_folder(folder: Path, *, sealed: bool) -> ImageSet:
    manifest = _manifest(folder)
    if manifest.sealed != sealed:
        wanted, found = ("a sealed", "an open") if sealed else ("an open", "a sealed")
        raise DataError(
            f"Expected {wanted} data set in {folder}, found {found} one: test splits are sealed, "
            "only the evaluation stage opens them."
        )
    images, labels = _array(folder / IMAGES), _array(folder / LABELS)
    classes = tuple(manifest.classes)
    check_image_arrays(images, labels, classes, str(folder))
    if len(labels) != manifest.rows:
        raise DataError(
            f"{folder}: expected {manifest.rows} rows as in {MANIFEST}, found {len(labels)}: "
            "prepare it again."
        )
    return ImageSet(
        images=torch.from_numpy(np.ascontiguousarray(images)),
        labels=torch.from_numpy(np.ascontiguousarray(labels)),
        classes=classes,
        origin=manifest.origin,
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


def _array(path: Path) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"Expected a numpy array in {path}, found a missing or damaged file "
            f"({one_line(error)}): prepare it again."
        ) from error
    return array
