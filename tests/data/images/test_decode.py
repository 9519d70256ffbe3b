"""The decoder of photos against numpy arithmetic, mode by mode."""

import colorsys
import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from data.errors import DataError
from data.images.crop import read_photo
from data.images.decode import (
    PHOTO_SUFFIXES,
    UNREADABLE_SUFFIXES,
    decode_photo,
    on_white,
    to_rgb,
)

HEIGHT, WIDTH = 6, 9
seeds = st.integers(0, 2**32 - 1)


def values(seed, channels, most=255, dtype=np.uint8):
    shape = (HEIGHT, WIDTH, channels) if channels > 1 else (HEIGHT, WIDTH)
    return np.random.default_rng(seed).integers(0, most, shape, endpoint=True).astype(dtype)


def stored(picture, form, **options):
    """Store a picture in a format and decode it, int [H, W, 3]."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    file.seek(0)
    return np.asarray(decode_photo(file), int)


def grey(levels):
    return np.repeat(np.asarray(levels, int)[..., np.newaxis], 3, -1)


def before_white(rgb, alpha):
    share = np.asarray(alpha, float)[..., np.newaxis] / 255
    return share * rgb + (1 - share) * 255


@given(seed=seeds)
def test_ordinary_pixels_stay_as_they_are(seed):
    rgb, level = values(seed, 3), values(seed, 1)
    assert (stored(Image.fromarray(rgb), "PNG") == rgb).all()
    assert (stored(Image.fromarray(level), "PNG") == grey(level)).all()
    assert (stored(Image.fromarray(rgb), "BMP") == rgb).all()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_ordinary_photos_are_what_pillow_alone_makes_of_them(tmp_path, form, mode):
    photo = Image.fromarray(values(7, 3)).resize((300, 200)).convert(mode)
    photo.save(tmp_path / "photo", form)
    with Image.open(tmp_path / "photo") as plain:
        plain.draft("RGB", (32, 32))
        left = (plain.width - plain.height) / 2
        box = (left, 0, left + plain.height, plain.height)
        want = plain.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR, box=box)
    assert (read_photo(tmp_path / "photo", 32) == np.asarray(want)).all()


@given(seed=seeds)
def test_one_bit_is_black_or_white(seed):
    bits = values(seed, 1, most=1, dtype=bool)
    assert (stored(Image.fromarray(bits), "PNG") == grey(bits * 255)).all()


@given(seed=seeds)
def test_palettes_are_looked_up(seed):
    places, colours = values(seed, 1), values(seed + 1, 3, most=255).reshape(-1, 3)
    places %= len(colours)
    picture = Image.fromarray(places, "L")
    picture.putpalette(colours.astype(np.uint8).tobytes())
    assert (stored(picture, "PNG") == colours[places]).all()
    see_through = values(seed + 2, 1).reshape(-1)
    want = before_white(colours[places], see_through[places])
    found = stored(picture, "PNG", transparency=see_through.astype(np.uint8).tobytes())
    assert abs(found - want).max() <= 1
    clear = stored(picture, "PNG", transparency=int(places[0, 0]))
    assert (clear[places == places[0, 0]] == 255).all()
    assert (clear == colours[places])[places != places[0, 0]].all()


@given(seed=seeds)
def test_what_is_transparent_shows_white(seed):
    rgba, pair = values(seed, 4), values(seed, 2)
    rgba[0, 0, 3], rgba[0, 1, 3] = 0, 255
    found = stored(Image.fromarray(rgba), "PNG")
    assert abs(found - before_white(rgba[..., :3], rgba[..., 3])).max() <= 1
    assert (found[0, 0] == 255).all()
    assert (found[0, 1] == rgba[0, 1, :3]).all()
    assert (on_white(rgba) == found).all()
    lone = stored(Image.fromarray(pair, "LA"), "PNG")
    assert abs(lone - before_white(grey(pair[..., 0]), pair[..., 1])).max() <= 1


def test_one_transparent_colour_shows_white():
    rgb = values(0, 3)
    rgb[0] = 10, 20, 30
    found = stored(Image.fromarray(rgb), "PNG", transparency=(10, 20, 30))
    assert (found[0] == 255).all()
    assert (found[1:] == rgb[1:]).all()
    level = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH)
    found = stored(Image.fromarray(level), "PNG", transparency=5)
    assert (found == grey(np.where(level == 5, 255, level))).all()


@pytest.mark.parametrize("mode", ["La", "RGBa", "PA"])
def test_other_ways_to_store_transparency_are_the_same(mode):
    rgba = values(3, 4)
    if mode == "PA":
        picture = Image.fromarray(rgba).convert("PA")
        want = before_white(np.asarray(picture.convert("RGB"), int), rgba[..., 3])
    else:
        picture = Image.fromarray(rgba).convert("LA" if mode == "La" else "RGBA").convert(mode)
        straight = picture.convert("LA" if mode == "La" else "RGBA").convert("RGBA")
        want = before_white(np.asarray(straight, int)[..., :3], rgba[..., 3])
    assert abs(np.asarray(to_rgb(picture), int) - want).max() <= 1


@given(seed=seeds, form=st.sampled_from(["PNG", "TIFF"]))
def test_sixteen_bits_are_scaled_by_their_range(seed, form):
    deep = values(seed, 1, most=65535, dtype=np.uint16)
    deep[0, 0], deep[0, 1] = 0, 65535
    found = stored(Image.fromarray(deep), form)
    assert abs(found - grey(deep) / 257).max() <= 0.5
    assert found[0, 0, 0] == 0
    assert found[0, 1, 0] == 255


def test_sixteen_bits_are_read_in_either_order_of_bytes():
    deep = values(1, 1, most=65535, dtype=np.uint16)
    swapped = Image.frombytes("I;16B", (WIDTH, HEIGHT), deep.astype(">u2").tobytes())
    assert (np.asarray(to_rgb(swapped)) == np.asarray(to_rgb(Image.fromarray(deep)))).all()


def test_a_transparent_level_of_sixteen_bits_shows_white():
    deep = np.linspace(0, 65535, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint16)
    found = stored(Image.fromarray(deep), "PNG", transparency=0)
    assert (found[0, 0] == 255).all()
    assert found[0, 1, 0] < 30


@given(seed=seeds)
def test_integers_of_32_bits_are_taken_for_16_bit_values_and_floats_for_shares(seed):
    deep = values(seed, 1, most=65535, dtype=np.int32)
    deep[0, 0] = 65535
    assert abs(stored(Image.fromarray(deep), "TIFF") - grey(deep) / 257).max() <= 0.5
    share = (deep / 65535).astype(np.float32)
    # Half a level, up to float rounding.
    want = 255.0 * np.repeat(share[..., np.newaxis], 3, -1).astype(float)
    assert abs(stored(Image.fromarray(share), "TIFF") - want).max() <= 0.5 + 1e-4


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.array([[-1, 70000]], np.int32), r"values in -1\.\.70000, outside the 16-bit range"),
        (np.array([[0, 2**31 - 1]], np.int32), r"values in 0\.\.2147483647, outside the 16-bit"),
        (np.array([[0, 200]], np.int32), "values up to 200, which may be 8-bit values"),
        (np.array([[0, 255]], np.uint16), "values up to 255, which may be 8-bit values"),
        (np.array([[0, 1.5]], np.float32), r"float values in 0\.\.1\.5, outside 0\.\.1"),
        (np.array([[-0.5, 1]], np.float32), r"float values in -0\.5\.\.1, outside 0\.\.1"),
        (np.array([[np.nan, 1]], np.float32), r"float values in nan\.\.nan, outside 0\.\.1"),
    ],
)
def test_a_range_that_cannot_be_told_is_refused(tmp_path, pixels, reason):
    Image.fromarray(pixels).save(tmp_path / "photo.tif")
    with pytest.raises(DataError, match=f"cannot be decoded .*{reason}"):
        decode_photo(tmp_path / "photo.tif")


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_black_is_black_at_any_depth(dtype):
    assert not stored(Image.fromarray(np.zeros((HEIGHT, WIDTH), dtype)), "TIFF").any()


@given(seed=seeds)
def test_cmyk_is_what_the_inks_leave(seed):
    inks = values(seed, 4)
    want = (255 - inks[..., :3].astype(float)) * (255 - inks[..., 3:].astype(float)) / 255
    assert abs(stored(Image.fromarray(inks, "CMYK"), "TIFF") - want).max() <= 1


@given(seed=seeds)
def test_ycbcr_is_that_of_jpeg(seed):
    luma, blue, red = np.moveaxis(values(seed, 3).astype(float), -1, 0)
    # ITU-T T.871 (JFIF), section 7.
    want = np.stack(
        [
            luma + 1.402 * (red - 128),
            luma - 0.344136 * (blue - 128) - 0.714136 * (red - 128),
            luma + 1.772 * (blue - 128),
        ],
        -1,
    ).clip(0, 255)
    found = np.asarray(to_rgb(Image.fromarray(values(seed, 3), "YCbCr")), int)
    assert abs(found - want).max() <= 1.5


@given(seed=seeds)
def test_hsv_is_a_wheel(seed):
    wheel = values(seed, 3)
    want = [[colorsys.hsv_to_rgb(*(pixel / 255)) for pixel in row] for row in wheel]
    found = np.asarray(to_rgb(Image.fromarray(wheel, "HSV")), int)
    assert abs(found - 255 * np.array(want)).max() <= 2


@given(seed=seeds)
def test_lab_is_adapted_from_d50_to_srgb(seed):
    rgb = values(seed, 3)
    light = rgb / 255
    light = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    # IEC 61966-2-1, adapted to D50 by Bradford, as ICC's sRGB profile is.
    to_xyz = [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
    xyz = light @ np.transpose(to_xyz) / (0.9642, 1, 0.8249)
    root = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    lightness = 116 * root[..., 1] - 16
    green_red, blue_yellow = (
        500 * (root[..., 0] - root[..., 1]),
        200 * (root[..., 1] - root[..., 2]),
    )
    # TIFF 6.0, section 23: a and b are signed.
    lab = np.rint(np.stack([lightness * 2.55, green_red, blue_yellow], -1)).clip(-128, 255)
    picture = Image.fromarray((lab.astype(int) % 256).astype(np.uint8), "LAB")
    # Steps of 1 in a and b are several levels in dark saturated colours.
    assert abs(stored(picture, "TIFF") - rgb).mean() <= 2


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
