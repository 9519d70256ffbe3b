"""Photos as files: several pictures, size, damage, suffixes."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from data.errors import DataError
from data.images.decode import decode_photo
from data.suffixes import PHOTO_SUFFIXES, UNREADABLE_SUFFIXES
from tests.data.images.values import HEIGHT, WIDTH, values


def test_the_first_picture_of_several_is_taken(tmp_path):
    first, second = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    for name in ("a.gif", "a.png", "a.tif", "a.webp"):
        options = {"lossless": True} if name == "a.webp" else {}
        first.save(tmp_path / name, save_all=True, append_images=[second], **options)
        assert (np.asarray(decode_photo(tmp_path / name)) == (255, 0, 0)).all()


def test_a_photo_far_too_large_is_refused_and_a_large_one_is_read_in_silence(monkeypatch):
    file = io.BytesIO()
    Image.new("L", (30, 20)).save(file, "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert decode_photo(file).size == (30, 20)
    assert not said
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    with pytest.raises(DataError, match=r"cannot be decoded .*decompression bomb"):
        decode_photo(file)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"P6 0 5 255\n",
        b"P6 5 0 255\n",
        b"GIF89a\0\0\0\0\0\0\0;",
        b"BM" + bytes(60),
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_a_photo_without_pixels_is_refused(content):
    with pytest.raises(DataError, match=r"Expected a photo .*cannot be decoded"):
        decode_photo(io.BytesIO(content))


ONLY_NAMED = {".bufr", ".grib", ".h5", ".hdf", ".iim", ".mpg", ".mpeg"}
"""Formats that Pillow recognises but does not decode."""


def test_every_suffix_that_pillow_reads_is_taken_or_known_as_unreadable():
    Image.init()
    read = {
        suffix for suffix, form in Image.registered_extensions().items() if form in Image.OPEN
    } | {".mpo"}
    assert read - PHOTO_SUFFIXES - UNREADABLE_SUFFIXES == ONLY_NAMED
    assert read >= PHOTO_SUFFIXES
    assert not PHOTO_SUFFIXES & UNREADABLE_SUFFIXES


def test_every_format_that_pillow_writes_is_read_under_each_of_its_suffixes(tmp_path):
    Image.init()
    written = set()
    for suffix in sorted(PHOTO_SUFFIXES):
        form = Image.registered_extensions()[suffix]
        if form not in Image.SAVE:
            continue
        for mode in ("RGB", "L", "1", "P"):
            try:
                with warnings.catch_warnings(action="ignore"):
                    Image.new(mode, (32, 32), 1).save(tmp_path / f"a{suffix}")
            except (OSError, ValueError, KeyError):
                continue
            assert decode_photo(tmp_path / f"a{suffix}").mode == "RGB"
            written.add(form)
            break
    assert len(written) >= 20
    assert TiffImagePlugin.TiffImageFile.format in written


def test_colours_of_sixteen_bits_keep_their_upper_half():
    deep = values(5, 3, most=65535, dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    parts = [
        (b"IHDR", struct.pack(">2I5B", WIDTH, HEIGHT, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
    assert (np.asarray(decode_photo(io.BytesIO(png))) == deep >> 8).all()
