"""Photos and frames of any size as uint8 squares of one size, the way a network reads them."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from data.images.decode import decode_photo, to_rgb

Pixels = npt.NDArray[np.uint8]


def square(picture: Image.Image, side: int) -> Pixels:
    """The middle of a picture, its shorter side scaled to `side`: uint8 [side, side, 3].

    Bilinear with antialiasing; the longer side loses what is beyond the square.
    """
    width, height = picture.size
    edge = min(width, height)
    left, top = (width - edge) / 2, (height - edge) / 2
    box = (left, top, left + edge, top + edge)
    scaled = to_rgb(picture).resize((side, side), Image.Resampling.BILINEAR, box=box)
    return np.asarray(scaled, np.uint8)


def read_photo(path: Path, side: int) -> Pixels:
    """One photo as a square.

    Raises:
        DataError: if it cannot be decoded.
    """
    return square(decode_photo(path, side), side)
