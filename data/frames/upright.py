"""Pixels of a decoded frame as a person would see them: RGB, square, turned, not mirrored."""

import math
import struct
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
from av.buffer import Buffer
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from data.errors import DataError
from data.images.decode import on_white

Pixels = npt.NDArray[np.uint8]

WIDEST = 8
"""A pixel is at most so many times as wide as high, or as high as wide."""


class Upright:
    """Frames of a clip as RGB.

    Brightness and colours follow the frame: limited (16..235) or full range, BT.601 or BT.709,
    limited range and BT.601 where it does not say. What is transparent shows white. Pixels that
    are not square become so: the height stays. The display matrix, rotation and mirroring, is
    carried out to the nearest quarter turn.

    Args:
        path: of the clip, for errors.
        aspect: width of a pixel by its height; None: unknown, taken for 1.

    Raises:
        DataError: if no camera has pixels of that shape.
    """

    def __init__(self, path: Path, aspect: Fraction | None) -> None:
        self._aspect = aspect or Fraction(1)
        if not Fraction(1, WIDEST) <= self._aspect <= WIDEST:
            raise DataError(
                f"{path}: expected pixels up to {WIDEST} times as wide as high, or the reverse, "
                f"found {self._aspect.numerator}:{self._aspect.denominator}: correct its aspect "
                "ratio, or remove it."
            )
        self._rgb = VideoReformatter()

    def pixels(self, frame: VideoFrame) -> Pixels:
        """A decoded frame: uint8 [H, W, 3]."""
        width = max(1, round(frame.width * self._aspect))
        see_through = any(component.is_alpha for component in frame.format.components)
        form = "rgba" if see_through else "rgb24"
        # Unless told otherwise, the conversion starts a pool of threads for every frame.
        flat = self._rgb.reformat(frame, width=width, format=form, threads=1).to_ndarray()
        rgb = np.asarray(flat, np.uint8)
        return _displayed(on_white(rgb) if see_through else rgb, frame)


def _displayed(pixels: Pixels, frame: VideoFrame) -> Pixels:
    try:
        # The stub knows of one kind alone.
        kinds = cast("Mapping[Type, Buffer]", frame.side_data)
    except ValueError:
        # There is more beside the frame than PyAV knows of, and it gives the rotation alone.
        return np.rot90(pixels, round(frame.rotation / 90))
    if Type.DISPLAYMATRIX not in kinds:
        return pixels
    mirrored, turns = orientation(bytes(kinds[Type.DISPLAYMATRIX]))
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, turns)


def orientation(matrix: bytes) -> tuple[bool, int]:
    """Whether a display matrix mirrors left and right, and the quarter turns to the left after it.

    The matrix [[a, b, u], [c, d, v], [x, y, w]] (nine 32-bit integers, ISO/IEC 14496-12, 6.2.2)
    sends the pixel at (p, q), right and down, to (a p + c q + x, b p + d q + y). It mirrors if its
    determinant a d - b c is negative; with p turned round, what is left is the rotation that
    sends (1, 0) to (a, b). A matrix that flattens the picture counts as none.
    """
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix)
    determinant = a * d - b * c
    if determinant == 0:
        return False, 0
    mirrored = determinant < 0
    if mirrored:
        a, b = -a, -b
    angle = math.degrees(math.atan2(b * math.hypot(a, c), a * math.hypot(b, d)))
    return mirrored, round(-angle / 90) % 4
