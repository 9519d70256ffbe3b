"""SVHN format 2 (cropped digits) from its MATLAB files (Netzer et al., 2011)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data.errors import DataError, one_line
from data.images.pixels import IMAGE_SIZE, luminance
from data.reader import DIGITS, RawImages, check_split, file_origin, required_root
from data.readers.downloads import fetch_into
from data.readers.mat import load_mat

OFFICIAL_COUNTS = {"train": 73_257, "test": 26_032}
FOLDER = Path("SVHN")
ZERO_LABEL = 10
CHUNK = 2048


@dataclass(frozen=True)
class SvhnReader:
    """Reads `ROOT/SVHN/{train,test}_32x32.mat`, or the same file directly under ROOT.

    Colours are converted to luminance (see `data.images.pixels.luminance`). Files with unofficial
    row counts are also read, and `origin` says so.
    """

    name: str = "svhn"
    classes: tuple[str, ...] = DIGITS
    embedded: bool = False
    version: int = 1

    def files(self, root: Path | None, split: str) -> tuple[Path, ...]:
        """The `.mat` file of a split.

        Raises:
            DataError: if no folder is given or the file is missing.
        """
        check_split(split)
        folder = required_root(root, self.name)
        path = _find(folder, split)
        if path is None:
            raise DataError(
                f"Expected SVHN's {_file_name(split)} in {folder / FOLDER} or {folder}, "
                "found neither: give the folder that contains it, or download it."
            )
        return (path,)

    def read(self, root: Path | None, split: str) -> RawImages:
        """Read the images of a split as luminance, uint8 [N, 32, 32, 1].

        Raises:
            DataError: if the file is missing, truncated or not a MATLAB 5 file, lacks `X` or `y`,
                these are not uint8 [32, 32, 3, N] and N labels, or a label is not in 1..10.
        """
        (path,) = self.files(root, split)
        content = _load(path)
        colours = _colours(content, path)
        labels = _labels(content, len(colours), path)
        official_count = OFFICIAL_COUNTS[split]
        return RawImages(
            images=_grey(colours),
            labels=labels,
            classes=self.classes,
            origin=file_origin("SVHN .mat", len(labels), official_count, split),
            official=len(labels) == official_count,
        )

    def download(self, root: Path) -> None:
        """Fetch missing official files; torchvision checks their MD5.

        An existing file, official or not, is left alone.

        Raises:
            DataError: if a file cannot be fetched or its checksum is wrong.
        """
        for split in OFFICIAL_COUNTS:
            if _find(root, split) is None:
                fetch = partial(_fetch_with_torchvision, split=split)
                fetch_into(root / FOLDER, [_file_name(split)], fetch, "SVHN")


def _fetch_with_torchvision(folder: Path, split: str) -> Path:
    from torchvision.datasets import SVHN  # noqa: PLC0415 - slow, and only needed here

    SVHN(folder, split=split, download=True)
    return folder


def _file_name(split: str) -> str:
    return f"{split}_32x32.mat"


def _find(root: Path, split: str) -> Path | None:
    candidates = (root / FOLDER / _file_name(split), root / _file_name(split))
    return next((path for path in candidates if path.is_file()), None)


def _load(path: Path) -> Mapping[str, object]:
    try:
        content: Mapping[str, object] = load_mat(path, ("X", "y"))
    # scipy's parser raises many errors on damaged bytes, not only MatReadError.
    except Exception as error:
        raise DataError(
            f"Expected a MATLAB 5 file at {path}, found one that is truncated, damaged or in "
            f"another format ({one_line(error)}): download it again."
        ) from error
    return content


def _array(content: Mapping[str, object], key: str, path: Path) -> npt.NDArray[np.generic]:
    value = content.get(key)
    if not isinstance(value, np.ndarray):
        raise DataError(
            f"{path}: expected the variables X and y, found no array {key}: "
            "this is not an SVHN format 2 file."
        )
    return value


def _colours(content: Mapping[str, object], path: Path) -> npt.NDArray[np.uint8]:
    """The pixels as [N, C, W, H], MATLAB's storage order, without a copy."""
    stored = _array(content, "X", path)
    if stored.dtype != np.uint8 or stored.shape[:-1] != (IMAGE_SIZE, IMAGE_SIZE, 3):
        raise DataError(
            f"{path}: expected X to be uint8 [32, 32, 3, N], found {stored.dtype} "
            f"{list(stored.shape)}: this is not an SVHN format 2 file."
        )
    return stored.astype(np.uint8, copy=False).transpose(3, 2, 1, 0)


def _labels(content: Mapping[str, object], count: int, path: Path) -> npt.NDArray[np.int64]:
    stored = _array(content, "y", path)
    if (
        stored.size != count
        or max(stored.shape, default=0) != count
        or stored.dtype.kind not in "iuf"
    ):
        raise DataError(
            f"{path}: expected y to contain {count} numbers, one for each image of X, found "
            f"{stored.dtype} {list(stored.shape)}: this is not an SVHN format 2 file."
        )
    numbers = stored.reshape(-1).astype(np.float64)
    wrong = ~np.isin(numbers, np.arange(1, ZERO_LABEL + 1))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{path}: expected labels in 1..10 (10 is the digit 0), found {numbers[row]:g} in "
            f"row {row}: the file is damaged or relabelled, download it again."
        )
    return numbers.astype(np.int64) % ZERO_LABEL


def _grey(colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Luminance [N, 32, 32, 1] of pixels [N, C, W, H], in chunks to limit peak memory."""
    grey = np.empty((len(colours), IMAGE_SIZE, IMAGE_SIZE, 1), np.uint8)
    for start in range(0, len(colours), CHUNK):
        part = colours[start : start + CHUNK].transpose(0, 3, 2, 1)
        grey[start : start + CHUNK, :, :, 0] = luminance(part)
    return grey
