"""Converts decoded frames for display: RGB, square pixels, rotated and unmirrored."""

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
"""Maximum pixel aspect ratio, in either direction."""


class Upright:
    """Converts the frames of a clip to upright RGB.

    Range and colour matrix follow the frame: limited (16..235) or full range, BT.601 or BT.709; if
    unspecified, limited range and BT.601. Transparency is composited on white. Non-square pixels
    are made square by scaling the width. The rotation and mirroring of the display matrix are
    applied, to the nearest quarter turn.

    Args:
        path: path of the clip, for errors.
        aspect: pixel aspect ratio, width over height; None if unknown, taken as 1.

    Raises:
        DataError: if the aspect ratio is implausible.
    """

    def __init__(self, path: Path, aspect: Fraction | None) -> None:
        self._aspect = aspect or Fraction(1)
        if not Fraction(1, WIDEST) <= self._aspect <= WIDEST:
            raise DataError(
                f"{path}: expected a pixel aspect ratio between 1:{WIDEST} and {WIDEST}:1, found "
                f"{self._aspect.numerator}:{self._aspect.denominator}: correct it, or remove the "
                "clip."
            )
        self._rgb = VideoReformatter()

    def pixels(self, frame: VideoFrame) -> Pixels:
        """Convert a decoded frame to uint8 [H, W, 3]."""
        width = max(1, round(frame.width * self._aspect))
        see_through = any(component.is_alpha for component in frame.format.components)
        form = "rgba" if see_through else "rgb24"
        # By default, the conversion starts a thread pool for every frame.
        flat = self._rgb.reformat(frame, width=width, format=form, threads=1).to_ndarray()
        rgb = np.asarray(flat, np.uint8)
        return _displayed(on_white(rgb) if see_through else rgb, frame)


def _displayed(pixels: Pixels, frame: VideoFrame) -> Pixels:
    try:
        # The stub declares only one kind.
        kinds = cast("Mapping[Type, Buffer]", frame.side_data)
    except ValueError:
        # Side data unknown to PyAV, which then gives only the rotation.
        return np.rot90(pixels, round(frame.rotation / 90))
    if Type.DISPLAYMATRIX not in kinds:
        return pixels
    mirrored, turns = orientation(bytes(kinds[Type.DISPLAYMATRIX]))
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, turns)


def orientation(matrix: bytes) -> tuple[bool, int]:
    """Whether a display matrix mirrors left and right, and the left quarter turns after that.

    The matrix [[a, b, u], [c, d, v], [x, y, w]] (nine 32-bit integers, ISO/IEC 14496-12, 6.2.2)
    maps the pixel at (p, q), right and down, to (a p + c q + x, b p + d q + y). It mirrors if its
    determinant a d - b c is negative; with p negated, the rest is the rotation that maps (1, 0) to
    (a, b). A singular matrix is ignored.
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
