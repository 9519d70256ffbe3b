"""Thumbnails of photos and stored images as WebP."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from data.images.decode import decode_photo

_QUALITY = 80


def photo_thumbnail(path: Path, side: int) -> bytes:
    """Encode a whole photo as WebP, with a longer side of at most `side` pixels.

    Raises:
        DataError: if the photo cannot be decoded.
    """
    picture = decode_photo(path, side)
    picture.thumbnail((side, side), Image.Resampling.BILINEAR)
    return _webp(picture, lossless=False)


def stored_thumbnail(image: npt.NDArray[np.uint8], side: int) -> bytes:
    """Encode a stored image, uint8 [H, W, 1 or 3], as lossless WebP with every pixel visible.

    Args:
        image: image as read by trainings.
        side: approximate longer side, in pixels.
    """
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    times = max(1, side // max(picture.size))
    size = (picture.width * times, picture.height * times)
    return _webp(picture.resize(size, Image.Resampling.NEAREST).convert("RGB"), lossless=True)


def _webp(picture: Image.Image, *, lossless: bool) -> bytes:
    content = io.BytesIO()
    picture.save(content, "WEBP", quality=_QUALITY, method=2, lossless=lossless)
    return content.getvalue()
