"""Photos and frames of any size as uint8 squares of one size, the way a network reads them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from data.errors import DataError, one_line

Pixels = npt.NDArray[np.uint8]


def square(picture: Image.Image, side: int) -> Pixels:
    """The middle of a picture, its shorter side scaled to `side`: uint8 [side, side, 3].

    Bilinear with antialiasing; the longer side loses what is beyond the square.
    """
    width, height = picture.size
    edge = min(width, height)
    left, top = (width - edge) / 2, (height - edge) / 2
    box = (left, top, left + edge, top + edge)
    scaled = picture.convert("RGB").resize((side, side), Image.Resampling.BILINEAR, box=box)
    return np.asarray(scaled, np.uint8)


def read_photo(path: Path, side: int) -> Pixels:
    """One photo as a square.

    Raises:
        DataError: if it cannot be decoded.
    """
    with _decoding(path), Image.open(path) as picture:
        # JPEGs are decoded at an eighth, a quarter or a half of their size if that is enough.
        picture.draft("RGB", (side, side))
        return square(ImageOps.exif_transpose(picture), side)


class SquareFile:
    """Squares written one by one to a `.npy` file, which may be larger than the memory.

    Args:
        path: of the file.
        most: squares that it has room for.
        side: of a square, pixels.
    """

    def __init__(self, path: Path, most: int, side: int) -> None:
        _check_room(path, most * side * side * 3)
        self._path, self._count = path, 0
        self._images = np.lib.format.open_memmap(
            path, mode="w+", dtype=np.uint8, shape=(most, side, side, 3)
        )

    def append(self, pixels: Pixels) -> None:
        """Write the next square."""
        self._images[self._count] = pixels
        self._count += 1

    def close(self) -> Pixels:
        """Cut the file to what was written, and map it: uint8 [N, side, side, 3]."""
        self._images.flush()
        if self._count < len(self._images):
            _shorten(self._path, self._images, self._count)
        mapped: Pixels = np.load(self._path, mmap_mode="r", allow_pickle=False)
        return mapped


def _check_room(path: Path, size: int) -> None:
    """A file with holes is made whatever its size: what does not fit must be known before."""
    status = os.statvfs(path.parent)
    free = status.f_bavail * status.f_frsize
    if free < size:
        raise DataError(
            f"{path.parent}: expected {size / 2**30:.1f} GiB for decoded images, found "
            f"{free / 2**30:.1f} GiB free: make room, or lower images.side or images.frames."
        )


def _shorten(path: Path, images: Pixels, count: int) -> None:
    """Cut a `.npy` file to its first `count` rows, in place."""
    header = np.lib.format.header_data_from_array_1_0(images[:count])
    with path.open("r+b") as file:
        version = np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        start = file.tell()
        file.seek(0)
        np.lib.format.write_array_header_1_0(file, header)
        # Headers are padded to a multiple of 64 bytes, and a smaller number is no longer text.
        if version != (1, 0) or file.tell() != start:
            raise DataError(f"{path}: expected a header of {start} bytes, found another length.")
        file.truncate(start + count * images[0].nbytes)


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    try:
        yield
    # Pillow's decoders fail in many ways on damaged bytes.
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise DataError(
            f"Expected a photo at {path}, found one that cannot be decoded ({one_line(error)}): "
            "replace or remove it."
        ) from error
