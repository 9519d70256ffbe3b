"""The orientation of EXIF, whatever else a photo holds."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from data.images.decode import (
    decode_photo,
)


def exif(*entries):
    """EXIF, little-endian, of (tag, type, count, bytes)."""
    start = 8 + 2 + 12 * len(entries) + 4
    table, body = struct.pack("<H", len(entries)), b""
    for tag, kind, count, content in sorted(entries):
        value = content
        if len(content) > 4:
            value, body = struct.pack("<I", start + len(body)), body + content
        table += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    return b"II*\0\x08\0\0\0" + table + bytes(4) + body


CORNER = np.zeros((40, 48, 3), np.uint8)
CORNER[:20, :24] = 255

ORIENTATION, SHORT = 0x0112, 3

QUARTER = (ORIENTATION, SHORT, 1, b"\6\0")


def with_exif(form, block):
    file = io.BytesIO()
    picture = Image.fromarray(CORNER)
    if form == "WEBP":
        picture.save(file, form, lossless=True, exif=block)
        return file.getvalue()
    picture.save(file, form)
    plain = file.getvalue()
    if form == "JPEG":
        return (
            plain[:2]
            + b"\xff\xe1"
            + struct.pack(">H", len(block) + 8)
            + b"Exif\0\0"
            + block
            + plain[2:]
        )
    start = plain.index(b"IDAT") - 4
    chunk = b"eXIf" + block
    return (
        plain[:start]
        + struct.pack(">I", len(block))
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + plain[start:]
    )


def tiff(*entries):
    """A TIFF of `CORNER` rotated by a quarter turn, with custom entries."""
    short = struct.Struct("<H").pack
    own = {tag for tag, *_ in entries}
    usual = [(256, 3, 1, short(48)), (257, 3, 1, short(40)), (258, 3, 3, short(8) * 3),
             (259, 3, 1, short(1)), (262, 3, 1, short(2)), (273, 4, 1, b"HERE"),
             (277, 3, 1, short(3)), (278, 3, 1, short(40)),
             (279, 4, 1, struct.pack("<I", CORNER.size)), QUARTER]  # fmt: skip
    head = exif(*(entry for entry in usual if entry[0] not in own), *entries)
    return head.replace(b"HERE", struct.pack("<I", len(head))) + CORNER.tobytes()


def white_corner(content):
    pixels = np.asarray(decode_photo(io.BytesIO(content)), int)
    height, width, _ = pixels.shape
    return width, height, [
        name
        for name, (row, column) in {
            "top left": (4, 4), "top right": (4, width - 5),
            "bottom left": (height - 5, 4), "bottom right": (height - 5, width - 5),
        }.items()
        if pixels[row, column].min() > 180
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("orientation", "size", "corner"),
    [
        (1, (48, 40), "top left"),
        (2, (48, 40), "top right"),
        (3, (48, 40), "bottom right"),
        (4, (48, 40), "bottom left"),
        (5, (40, 48), "top left"),
        (6, (40, 48), "top right"),
        (7, (40, 48), "bottom right"),
        (8, (40, 48), "bottom left"),
        (0, (48, 40), "top left"),
        (9, (48, 40), "top left"),
    ],
)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_photo_is_turned_as_its_orientation_says(form, orientation, size, corner):
    entry = (ORIENTATION, SHORT, 1, struct.pack("<H", orientation))
    content = tiff(entry) if form == "TIFF" else with_exif(form, exif(entry))
    assert white_corner(content) == (*size, [corner])


# YCbCrPositioning, the folders of EXIF, GPS and interoperability, resolution, date, XMP, unknown.
ODD_TAGS = (0x0213, 0x8769, 0x8825, 0xA005, 0x011A, 0x0132, 0x02BC, 0xC4A5, 0xFFFF)

ODD_TYPES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    16: 8,
    99: 1,
}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_no_tag_of_an_odd_type_keeps_a_photo_from_being_read_and_turned(form):
    rng = np.random.default_rng(0)
    for tag in ODD_TAGS:
        for kind, size in ODD_TYPES.items():
            for count in (0, 1, 2, 5, 1 << 20):
                odd = (tag, kind, count, rng.bytes(min(size * count, 64)))
                content = tiff(odd) if form == "TIFF" else with_exif(form, exif(odd, QUARTER))
                assert white_corner(content) == (40, 48, ["top right"]), odd


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_an_orientation_of_an_odd_type_is_none(form):
    for kind in ODD_TYPES:
        odd = (ORIENTATION, kind, 3, b"\xfe" * 24)
        assert white_corner(with_exif(form, exif(odd))) == (48, 40, ["top left"]), kind
    assert white_corner(with_exif(form, b"no TIFF at all")) == (48, 40, ["top left"])
