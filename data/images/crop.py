"""Scales and crops photos and frames to uint8 squares for a network."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from data.images.decode import decode_photo, to_rgb

Pixels = npt.NDArray[np.uint8]


def square(picture: Image.Image, side: int) -> Pixels:
    """Centre-crop a picture and scale it to uint8 [side, side, 3].

    Bilinear with antialiasing; the crop has the size of the shorter side.
    """
    width, height = picture.size
    edge = min(width, height)
    left, top = (width - edge) / 2, (height - edge) / 2
    box = (left, top, left + edge, top + edge)
    scaled = to_rgb(picture).resize((side, side), Image.Resampling.BILINEAR, box=box)
    return np.asarray(scaled, np.uint8)


def read_photo(path: Path, side: int) -> Pixels:
    """Read a photo as a square.

    Raises:
        DataError: if the photo cannot be decoded.
    """
    return square(decode_photo(path, side), side)
