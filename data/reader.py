"""What every data set reader gives: raw images of one split, and where they came from."""

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
    """The photo, or the frame of a clip, that each row is.

    Attributes:
        names: N texts, each once.
        clips: N texts, equal for the frames of one clip; a photo is a clip of its own.
        groups: N texts, equal for the clips of one recording.
    """

    names: tuple[str, ...]
    clips: tuple[str, ...]
    groups: tuple[str, ...]

    @property
    def are_frames(self) -> bool:
        """Whether rows are frames of clips; if not, each is a photo."""
        return self.names != self.clips

    @property
    def clip_numbers(self) -> npt.NDArray[np.int64]:
        """Each row's clip as a number, int64 [N], from 0 in order of appearance."""
        return _numbered(self.clips)

    @property
    def group_numbers(self) -> npt.NDArray[np.int64]:
        """Each row's group as a number, int64 [N], from 0 in order of appearance."""
        return _numbered(self.groups)


@dataclass(frozen=True, kw_only=True)
class RawImages:
    """One split of a data set, as its reader gives it.

    Attributes:
        images: uint8 [N, H, W, C], 0 is black; the digit readers give [N, 32, 32, 1]. Feature maps
            of images are float16.
        labels: int64 [N], positions in `classes`.
        classes: the class names, in order.
        origin: one sentence: what the images are, how many, official or not.
        official: True only if the row count is that of the published split.
        samples: what each row is, where it has a name; None where its number is all.
    """

    images: npt.NDArray[np.uint8] | npt.NDArray[np.float16]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    origin: str
    official: bool
    samples: Samples | None = None

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together.

        Raises:
            DataError: on another dtype or shape, unequal row counts, no row, or a label that is
                not a position in `classes`.
        """
        check_image_arrays(self.images, self.labels, self.classes, self.origin)
        check_samples(self.samples, len(self.labels), self.origin)


class Reader(Protocol):
    """A data set that can be read by name.

    Attributes:
        name: the name in the catalog.
        classes: the class names, in order.
        embedded: True if the images are made or shipped with the code and need no folder.
        version: raised by one whenever the reader's output changes, so that old results go stale.
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
        """The raw files of a split, all existing; () when embedded. DataError if one is missing."""

    def read(self, root: Path | None, split: str) -> RawImages:
        """The images of split "train" or "test". DataError if a file is missing or damaged."""

    def download(self, root: Path) -> None:
        """Fetch the official files that are not under `root` yet. DataError if that fails."""


def check_image_arrays(
    images: npt.NDArray[np.uint8] | npt.NDArray[np.float16],
    labels: npt.NDArray[np.int64],
    classes: tuple[str, ...],
    name: str,
) -> None:
    """Raise DataError unless images [N, H, W, C] and labels [N] belong together, N >= 1."""
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
    if labels.min() < 0 or labels.max() >= len(classes):
        raise DataError(
            f"{name}: expected labels in 0..{len(classes) - 1}, "
            f"found {labels.min()}..{labels.max()}: check the file."
        )


def _numbered(texts: Iterable[str]) -> npt.NDArray[np.int64]:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.int64)


def check_samples(samples: Samples | None, rows: int, name: str) -> None:
    """Raise DataError unless there is a different sample for every row, and a clip has a group."""
    if samples is None:
        return
    found = (len(samples.names), len(samples.clips), len(samples.groups))
    if found != (rows, rows, rows) or len(set(samples.names)) != rows:
        raise DataError(
            f"{name}: expected a name, a clip and a group for each of {rows} rows, no name twice, "
            f"found {found} and {len(set(samples.names))} names: prepare it again."
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
    """What was read from files: the official split, or how much of it."""
    rows = f"{SPLITS[split]} rows"
    if count == official_count:
        return f"{files} with {count:,} {rows}, the official count"
    return (
        f"{files} with {count:,} of the official {official_count:,} {rows}: not the official split"
    )


def required_root(root: Path | None, name: str) -> Path:
    """The data folder of a reader that needs one.

    Raises:
        DataError: if none was given.
    """
    if root is None:
        raise DataError(
            f"Expected a data folder for '{name}', found none: give the folder that holds it."
        )
    return root


def no_download(name: str) -> DataError:
    """The error of an embedded reader that is asked to download."""
    return DataError(
        f"Expected a data set with files to download, found '{name}', which is embedded: "
        "read it without a data folder."
    )
