"""The real handwritten digits shipped with scikit-learn, laid out like MNIST.

1,797 images of 8x8 pixels with 17 grey levels: the test part of UCI's "Optical Recognition of
Handwritten Digits" (Alpaydin and Kaynak, 1998). The writers are unknown, so the split is by image.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from data.errors import DataError
from data.images.pixels import zero_pad
from data.reader import DIGITS, SPLITS, RawImages, check_split, no_download

GREY_LEVELS = 16
BOX = 20  # MNIST fits its digits into a 20x20 box
TRAIN_SHARE = 0.7
SPLIT_SEED = 20_200_101
TABLE = "datasets/data/digits.csv.gz"
"""Path of the digits in scikit-learn's package: 64 grey levels and the label in each row."""


@dataclass(frozen=True)
class HandwrittenReader:
    """Reads scikit-learn's digits: 8x8 scaled to 20x20, centred in 32x32 like MNIST.

    70 % of each class form the training split, the rest the test split.
    """

    name: str = "handwritten"
    classes: tuple[str, ...] = DIGITS
    embedded: bool = True
    version: int = 1

    def files(self, root: Path | None, split: str) -> tuple[Path, ...]:  # noqa: ARG002 - Reader
        """No files, since the images ship with scikit-learn."""
        check_split(split)
        return ()

    def read(self, root: Path | None, split: str) -> RawImages:  # noqa: ARG002 - Reader
        """Read the images of a split, uint8 [N, 32, 32, 1]; deterministic.

        Raises:
            DataError: if the split is neither "train" nor "test", or scikit-learn lacks the digits.
        """
        check_split(split)
        images, labels = _originals()
        rows = _split_rows(labels, split)
        return RawImages(
            images=zero_pad(_enlarged(images[rows])),
            labels=labels[rows],
            classes=self.classes,
            origin=f"handwritten digits of scikit-learn, {len(rows):,} of {len(labels):,} images "
            f"(our {SPLITS[split]} split)",
            official=False,
        )

    def download(self, root: Path) -> None:  # noqa: ARG002 - Reader
        """Raise, since there is nothing to download.

        Raises:
            DataError: always.
        """
        raise no_download(self.name)


def _originals() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Images [1797, 8, 8] in 0..16 and labels, read without importing scikit-learn: it is slow."""
    found = find_spec("sklearn")
    package = Path(found.origin).parent if found and found.origin else Path("sklearn")
    place = package / TABLE
    try:
        table = np.loadtxt(place, delimiter=",")
    except OSError as error:
        raise DataError(
            f"Expected scikit-learn's digits in {place}, found none; install scikit-learn."
        ) from error
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)


def _enlarged(images: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Scale 8x8 images in 0..16 to uint8 [N, 20, 20] in 0..255, by bicubic interpolation."""
    bytes_ = np.rint(images * (255 / GREY_LEVELS)).astype(np.uint8)
    bicubic = Image.Resampling.BICUBIC
    return np.stack(
        [np.asarray(Image.fromarray(image).resize((BOX, BOX), bicubic)) for image in bytes_]
    )


def _split_rows(labels: npt.NDArray[np.int64], split: str) -> npt.NDArray[np.int64]:
    """Sorted row numbers of a split; each class is cut at 70 % of a fixed permutation."""
    rng = np.random.default_rng(SPLIT_SEED)
    parts = []
    for label in range(len(DIGITS)):
        rows = rng.permutation(np.flatnonzero(labels == label))
        cut = round(TRAIN_SHARE * len(rows))
        parts.append(rows[:cut] if split == "train" else rows[cut:])
    return np.sort(np.concatenate(parts)).astype(np.int64)
