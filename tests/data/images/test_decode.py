"""Pixels of every mode become 8-bit RGB by the rules of the docs."""

import colorsys
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from data.errors import DataError
from data.images.crop import read_photo
from data.images.decode import (
    decode_photo,
    on_white,
    to_rgb,
)
from tests.data.images.values import HEIGHT, WIDTH, values

seeds = st.integers(0, 2**32 - 1)


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


def test_lab_is_adapted_from_d50_to_srgb():
    rgb = np.concatenate([values(seed, 3) for seed in range(200)])
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
    # A step of 1 in a or b is several levels in dark, saturated pixels; many pictures are averaged.
    assert abs(stored(picture, "TIFF") - rgb).mean() <= 1.5
