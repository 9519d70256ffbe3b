"""Photos and frames of any size as uint8 squares of one size, the way a network reads them."""

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
