"""Pixel arithmetic shared by the readers: luminance and padding, both exact in integers."""

import numpy as np
import numpy.typing as npt

from data.errors import DataError

IMAGE_SIZE = 32
# ITU-R BT.601-7 §2.5.1, in thousandths.
RED, GREEN, BLUE, THOUSAND = 299, 587, 114, 1000


def luminance(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Luminance of RGB images: (299 R + 587 G + 114 B) / 1000, halves rounded up.

    Integer arithmetic, so the bytes are the same on every machine.

    Args:
        rgb: RGB pixels, uint8 [..., 3].

    Returns:
        Luminance, uint8 [...].

    Raises:
        DataError: if the last axis is not 3 or the dtype is not uint8.
    """
    if rgb.dtype != np.uint8 or rgb.shape[-1:] != (3,):
        raise DataError(
            f"Expected uint8 [..., 3] RGB pixels, found {rgb.dtype} {list(rgb.shape)}: "
            "put the colour channels last."
        )
    weighted = np.multiply(rgb[..., 0], RED, dtype=np.uint32)
    weighted += np.multiply(rgb[..., 1], GREEN, dtype=np.uint32)
    weighted += np.multiply(rgb[..., 2], BLUE, dtype=np.uint32)
    weighted += THOUSAND // 2
    weighted //= THOUSAND
    return weighted.astype(np.uint8)


def zero_pad(images: npt.NDArray[np.uint8], size: int = IMAGE_SIZE) -> npt.NDArray[np.uint8]:
    """Centre each image in a black square.

    Args:
        images: uint8 [N, h, w], with h and w at most `size`.
        size: side of the square, in pixels.

    Returns:
        Contiguous uint8 [N, size, size, 1]; odd margins have the extra pixel at the end.
    """
    count, height, width = images.shape
    top, left = (size - height) // 2, (size - width) // 2
    padded = np.zeros((count, size, size, 1), np.uint8)
    padded[:, top : top + height, left : left + width, 0] = images
    return padded
