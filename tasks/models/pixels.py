"""Conversion of pictures of any size to a model's input."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from data.images.crop import square
from data.images.pixels import luminance
from tasks.models.description import ImageDescription


def as_read(picture: Image.Image, images: ImageDescription) -> npt.NDArray[np.uint8]:
    """Convert a picture to uint8 [side, side, channels], by the same steps as in training."""
    pixels = square(picture, images.side)
    return luminance(pixels)[..., np.newaxis] if images.channels == 1 else pixels
