"""The decoder of photos: converts any format Pillow reads to upright 8-bit RGB."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image
from PIL.Image import Transpose
from PIL.TiffImagePlugin import TiffImageFile
from PIL.TiffTags import TAGS_V2_GROUPS

from data.errors import DataError, one_line

_TURNS: Mapping[object, Transpose] = MappingProxyType(
    {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
)
"""Transposition by EXIF orientation; other values leave a photo unchanged."""
_MOST_16 = 0xFFFF


def decode_photo(path: Path | BinaryIO, side: int | None = None) -> Image.Image:
    """Decode the first picture in a file as 8-bit RGB, rotated by its EXIF orientation.

    The rest of EXIF is ignored, so damage there does no harm; colour profiles are not applied. See
    `to_rgb` for the conversion of pixels.

    Args:
        path: path of the photo, or an open file. The content determines the format, not the
            suffix.
        side: side needed, in pixels. A JPEG is decoded at an eighth, a quarter or half its size if
            both sides stay at least this long. None decodes at full size.

    Raises:
        DataError: if the photo cannot be decoded, for any reason; no other error is raised.
    """
    with _decoding(path), Image.open(path) as picture:
        if side is not None:
            picture.draft("RGB", (side, side))
        if isinstance(picture, TiffImageFile):
            _forget_details(picture)
        # Before the orientation, since a PNG's EXIF may follow the pixels.
        picture.load()
        turn = _TURNS.get(_orientation(picture))
        upright = picture if turn is None else picture.transpose(turn)
        if 0 in upright.size:
            raise ValueError("it has no pixels")
        return to_rgb(upright)


def to_rgb(picture: Image.Image) -> Image.Image:
    """Convert a picture of any mode to 8-bit RGB.

    16-bit grey is scaled from 0..65535 and float from 0..1; 32-bit integers are treated as 16-bit
    values. Transparency is composited on white. Pillow converts all other modes: grey, palettes,
    1 bit, CMYK, YCbCr, HSV, and Lab (D50) to sRGB.

    Raises:
        ValueError: if values are out of range, or a 16- or 32-bit picture has only 8-bit values,
            which would come out almost black.
    """
    if picture.mode.startswith("I"):
        return _from_integers(picture)
    if picture.mode == "F":
        return _from_floats(np.asarray(picture, np.float32))
    if picture.has_transparency_data:
        # Pillow converts La to RGBA only via LA.
        straight = picture.convert("LA") if picture.mode == "La" else picture
        return _on_white(straight.convert("RGBA"))
    return picture.convert("RGB")


def on_white(rgba: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Composite pixels, uint8 [H, W, 4], on white: uint8 [H, W, 3]."""
    return np.asarray(_on_white(Image.fromarray(rgba)), np.uint8)


def _on_white(rgba: Image.Image) -> Image.Image:
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _from_integers(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture).astype(np.int64)
    lowest, highest = int(values.min()), int(values.max())
    if lowest < 0 or highest > _MOST_16:
        raise ValueError(f"values in {lowest}..{highest}, outside the 16-bit range 0..{_MOST_16}")
    if 0 < highest <= np.iinfo(np.uint8).max:
        raise ValueError(f"16-bit pixels with values up to {highest}, which may be 8-bit values")
    grey = ((values + 128) // 257).astype(np.uint8)
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        grey[values == clear] = 255
    return Image.fromarray(grey).convert("RGB")


def _from_floats(values: npt.NDArray[np.float32]) -> Image.Image:
    # Written so that NaN fails the check.
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"float values in {values.min():g}..{values.max():g}, outside 0..1")
    return Image.fromarray(np.floor(values * 255 + 0.5).astype(np.uint8)).convert("RGB")


def _forget_details(picture: TiffImageFile) -> None:
    """Drop metadata that Pillow reads, and may fail on, while loading and rotating a TIFF."""
    if not isinstance(picture.info.get("xmp"), bytes | None):
        del picture.info["xmp"]
    exif = picture.getexif()
    for details in TAGS_V2_GROUPS:
        if details in exif:
            del exif[details]


def _orientation(picture: Image.Image) -> object:
    """The orientation in EXIF, or else XMP; of any type, if the file is odd."""
    try:
        value = picture.getexif().get(ExifTags.Base.Orientation)
        hash(value)
    # Damaged EXIF does not affect the pixels.
    except Exception:
        return None
    return value


@contextmanager
def _decoding(path: Path | BinaryIO) -> Iterator[None]:
    try:
        # Pillow warns about large photos and odd tags; it refuses very large ones itself.
        with warnings.catch_warnings(action="ignore"):
            yield
    # Pillow's decoders fail in dozens of ways on damaged bytes.
    except Exception as error:
        raise DataError(
            f"Expected a photo at {path}, found one that cannot be decoded ({one_line(error)}): "
            "replace or remove it."
        ) from error
