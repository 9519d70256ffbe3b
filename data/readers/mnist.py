"""MNIST from the official idx files, in torchvision's folder layout (LeCun et al., 1998)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.errors import DataError
from data.images.pixels import zero_pad
from data.reader import DIGITS, RawImages, check_split, file_origin, required_root
from data.readers.downloads import fetch_into
from data.readers.idx import read_idx

OFFICIAL_COUNTS = {"train": 60_000, "test": 10_000}
PREFIXES = {"train": "train", "test": "t10k"}
SIDE = 28
FOLDER = Path("MNIST/raw")


@dataclass(frozen=True)
class MnistReader:
    """Reads `ROOT/MNIST/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz]`.

    28x28 images are zero-padded to 32x32. If a file exists both plain and compressed, the plain one
    is read.
    """

    name: str = "mnist"
    classes: tuple[str, ...] = DIGITS
    embedded: bool = False
    version: int = 1

    def files(self, root: Path | None, split: str) -> tuple[Path, ...]:
        """The image file and the label file of a split.

        Raises:
            DataError: if no folder is given or a file is missing.
        """
        check_split(split)
        folder = required_root(root, self.name) / FOLDER
        return tuple(_existing(folder, name) for name in _file_names(split))

    def read(self, root: Path | None, split: str) -> RawImages:
        """Read the images of a split, uint8 [N, 32, 32, 1].

        Raises:
            DataError: if a file is missing or damaged, images are not 28x28, the numbers of images
                and labels differ, or a label is not in 0..9.
        """
        image_file, label_file = self.files(root, split)
        images, labels = read_idx(image_file, axes=3), read_idx(label_file, axes=1)
        if images.shape[1:] != (SIDE, SIDE):
            raise DataError(
                f"{image_file}: expected {SIDE}x{SIDE} images, found "
                f"{images.shape[1]}x{images.shape[2]}: this is not MNIST."
            )
        if len(images) != len(labels):
            raise DataError(
                f"{label_file}: expected {len(images)} labels, one for each image of "
                f"{image_file.name}, found {len(labels)}: use files of the same split."
            )
        if len(labels) and labels.max() >= len(DIGITS):
            row = int(np.argmax(labels >= len(DIGITS)))
            raise DataError(
                f"{label_file}: expected labels in 0..9, found {labels[row]} in row {row}: "
                "the file is damaged, download it again."
            )
        official_count = OFFICIAL_COUNTS[split]
        return RawImages(
            images=zero_pad(images),
            labels=labels.astype(np.int64),
            classes=self.classes,
            origin=file_origin("MNIST idx files", len(images), official_count, split),
            official=len(images) == official_count,
        )

    def download(self, root: Path) -> None:
        """Fetch missing official compressed files; torchvision checks their MD5.

        Existing files are left alone.

        Raises:
            DataError: if a file cannot be fetched or its checksum is wrong.
        """
        names = [name for split in PREFIXES for name in _file_names(split)]
        missing = [name for name in names if _find(root / FOLDER, name) is None]
        if missing:
            fetch_into(
                root / FOLDER, [f"{name}.gz" for name in missing], _fetch_with_torchvision, "MNIST"
            )


def _fetch_with_torchvision(folder: Path) -> Path:
    from torchvision.datasets import MNIST  # noqa: PLC0415 - slow, and only needed here

    # torchvision also unpacks the archives, but only the archives have published checksums.
    MNIST(folder, train=True, download=True)
    return folder / FOLDER


def _file_names(split: str) -> tuple[str, str]:
    prefix = PREFIXES[split]
    return f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"


def _find(folder: Path, name: str) -> Path | None:
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _existing(folder: Path, name: str) -> Path:
    path = _find(folder, name)
    if path is None:
        raise DataError(
            f"Expected MNIST's {name} or {name}.gz in {folder}, found neither: "
            "give the folder that contains MNIST/raw, or download it."
        )
    return path
