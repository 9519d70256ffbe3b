"""The interface of data set readers: raw images of one split, and their origin."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from data.errors import DataError

DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
SPLITS = {"train": "training", "test": "test"}


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The photo or the frame of a clip in each row.

    Attributes:
        names: N distinct names.
        clips: N clip names, the same for all frames of a clip; each photo is its own clip.
        groups: N group names, the same for all clips of a recording.
    """

    names: tuple[str, ...]
    clips: tuple[str, ...]
    groups: tuple[str, ...]

    @property
    def are_frames(self) -> bool:
        """Whether rows are frames of clips rather than photos."""
        return self.names != self.clips

    @property
    def clip_numbers(self) -> npt.NDArray[np.int64]:
        """Clip number of each row, int64 [N], from 0 in order of appearance."""
        return _numbered(self.clips)

    @property
    def group_numbers(self) -> npt.NDArray[np.int64]:
        """Group number of each row, int64 [N], from 0 in order of appearance."""
        return _numbered(self.groups)


@dataclass(frozen=True, kw_only=True)
class RawImages:
    """One split of a data set, as returned by its reader.

    Attributes:
        images: uint8 [N, H, W, C], where 0 is black; the digit readers return [N, 32, 32, 1].
            Feature maps of images are float16.
        labels: int64 [N], indices into `classes`; -1 for unlabelled named samples.
        classes: class names, in order.
        origin: one sentence on what the images are, how many, and whether they are official.
        official: True only if the row count is that of the published split.
        samples: sample in each row; None if rows have no names.
    """

    images: npt.NDArray[np.uint8] | npt.NDArray[np.float16]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    origin: str
    official: bool
    samples: Samples | None = None

    def __post_init__(self) -> None:
        """Check that the arrays match.

        Raises:
            DataError: if a dtype or shape is wrong, row counts differ, there is no row, or a label
                is not an index into `classes`.
        """
        named = self.samples is not None
        check_image_arrays(self.images, self.labels, self.classes, self.origin, partly=named)
        check_samples(self.samples, len(self.labels), self.origin)


class Reader(Protocol):
    """A data set that can be read by name.

    Attributes:
        name: name in the catalog.
        classes: class names, in order.
        embedded: True if the images are generated or shipped with the code and need no folder.
        version: incremented whenever the reader's output changes, to invalidate old results.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - the class docstring says it
    @property
    def classes(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def embedded(self) -> bool: ...  # noqa: D102
    @property
    def version(self) -> int: ...  # noqa: D102

    def files(self, root: Path | None, split: str) -> tuple[Path, ...]:
        """Existing raw files of a split, () if embedded; raise DataError if one is missing."""

    def read(self, root: Path | None, split: str) -> RawImages:
        """Read split "train" or "test"; raise DataError if a file is missing or damaged."""

    def download(self, root: Path) -> None:
        """Fetch official files missing from `root`; raise DataError if that fails."""


def check_image_arrays(
    images: npt.NDArray[np.uint8] | npt.NDArray[np.float16],
    labels: npt.NDArray[np.int64],
    classes: tuple[str, ...],
    name: str,
    *,
    partly: bool = False,
) -> None:
    """Raise DataError unless images [N, H, W, C] and labels [N] match and N >= 1.

    Args:
        images: stored images or maps.
        labels: indices into `classes`.
        classes: class names.
        name: name of the set, for errors.
        partly: accept -1 as the label of an unlabelled sample.
    """
    if images.dtype not in (np.uint8, np.float16) or images.ndim != 4:
        raise DataError(
            f"{name}: expected uint8 images [N, H, W, C], found {images.dtype} "
            f"{list(images.shape)}: convert them first."
        )
    if labels.dtype != np.int64 or labels.shape != images.shape[:1] or not len(labels):
        raise DataError(
            f"{name}: expected one int64 label for each of {len(images)} (at least one) images, "
            f"found {labels.dtype} {list(labels.shape)}: check that both are of the same split."
        )
    if labels.min() < (-1 if partly else 0) or labels.max() >= len(classes):
        raise DataError(
            f"{name}: expected labels in 0..{len(classes) - 1}, "
            f"found {labels.min()}..{labels.max()}: check the file."
        )


def _numbered(texts: Iterable[str]) -> npt.NDArray[np.int64]:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.int64)


def check_samples(samples: Samples | None, rows: int, name: str) -> None:
    """Raise DataError unless every row has a distinct sample and every clip one group."""
    if samples is None:
        return
    found = (len(samples.names), len(samples.clips), len(samples.groups))
    if found != (rows, rows, rows) or len(set(samples.names)) != rows:
        raise DataError(
            f"{name}: expected a distinct name, a clip and a group for each of {rows} rows, found "
            f"{found} and {len(set(samples.names))} distinct names: prepare it again."
        )
    pairs = set(zip(samples.clips, samples.groups, strict=True))
    if len(pairs) != len(set(samples.clips)):
        raise DataError(
            f"{name}: expected one group for every clip, found {len(pairs)} pairs for "
            f"{len(set(samples.clips))} clips: prepare it again."
        )


def check_split(split: str) -> None:
    """Raise DataError unless `split` is "train" or "test"."""
    if split not in SPLITS:
        raise DataError(f"Expected split to be one of {', '.join(SPLITS)}, found '{split}'.")


def file_origin(files: str, count: int, official_count: int, split: str) -> str:
    """Origin of rows read from files: the official split, or how much of it."""
    rows = f"{SPLITS[split]} rows"
    if count == official_count:
        return f"{files} with {count:,} {rows}, the official count"
    return (
        f"{files} with {count:,} of the official {official_count:,} {rows}: not the official split"
    )


def required_root(root: Path | None, name: str) -> Path:
    """The data folder, for a reader that needs one.

    Raises:
        DataError: if none was given.
    """
    if root is None:
        raise DataError(
            f"Expected a data folder for '{name}', found none: give the folder that holds it."
        )
    return root


def no_download(name: str) -> DataError:
    """The error for downloading an embedded data set."""
    return DataError(
        f"Expected a data set with files to download, found '{name}', which is embedded: "
        "read it without a data folder."
    )
