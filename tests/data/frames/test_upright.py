"""Conversion of frames: display matrix, pixel aspect, colour range, transparency."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange
from hypothesis import given
from hypothesis import strategies as st

from data.errors import DataError
from data.frames.decode import clip_frames
from data.frames.sampling import Sampling
from data.frames.upright import WIDEST, Upright, orientation

ONE = 1 << 16
CORNER = np.zeros((48, 64, 3), np.uint8)
CORNER[:24, :32] = 255


def packed(a, b, c, d, x=0, y=0):
    return a, b, 0, c, d, 0, x, y, 1 << 14


def write(path, pixels=CORNER, codec="libx264", form="yuv420p", aspect=None, colours=0, **options):
    """Three frames with the same pixels, or with the planes of a given frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = 48, 64
        stream.pix_fmt = form
        stream.codec_context.color_range = colours
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for tick in range(3):
            if isinstance(pixels, av.VideoFrame):
                frame = pixels
            else:
                kind = "rgba" if pixels.shape[-1] == 4 else "rgb24"
                frame = av.VideoFrame.from_ndarray(pixels, format=kind)
            frame.pts, frame.time_base = tick, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def first(path):
    return next(clip_frames(path, Sampling(every=1))).pixels


def moved(pixels, matrix):
    """Map pixels one by one by a matrix, then shift them to start at 0."""
    a, b, _, c, d, *_ = (value / ONE for value in matrix)
    height, width = pixels.shape[:2]
    q, p = np.mgrid[:height, :width]
    across, down = (np.rint(to).astype(int) for to in (a * p + c * q, b * p + d * q))
    across, down = across - across.min(), down - down.min()
    out = np.zeros((down.max() + 1, across.max() + 1, *pixels.shape[2:]), pixels.dtype)
    out[down, across] = pixels
    return out


EIGHT = [
    packed(sign * a, other * b, sign * c, other * d)
    for a, b, c, d in [(ONE, 0, 0, ONE), (0, ONE, ONE, 0)]
    for sign in (1, -1)
    for other in (1, -1)
]


@pytest.mark.parametrize("matrix", EIGHT, ids=str)
def test_each_of_the_eight_ways_to_lay_a_picture_down_is_undone(matrix):
    pixels = np.arange(6 * 4 * 3).reshape(6, 4, 3)
    mirrored, turns = orientation(struct.pack("=9i", *matrix))
    assert np.array_equal(
        np.rot90(pixels[:, ::-1] if mirrored else pixels, turns), moved(pixels, matrix)
    )


@given(
    angle=st.floats(-180, 180).filter(lambda angle: abs(angle % 90 - 45) > 1),
    mirrored=st.booleans(),
    scale=st.floats(0.1, 10),
)
def test_a_matrix_stands_for_the_nearest_quarter_turn_whatever_its_scale(angle, mirrored, scale):
    cos, sin = np.cos(np.radians(angle)) * ONE * scale, np.sin(np.radians(angle)) * ONE * scale
    across = -1 if mirrored else 1
    matrix = packed(*(round(value) for value in (across * cos, across * sin, -sin, cos)))
    # Right is rotated towards down, that is, clockwise.
    assert orientation(struct.pack("=9i", *matrix)) == (mirrored, round(-angle / 90) % 4)


@pytest.mark.parametrize("matrix", [(0,) * 9, packed(ONE, ONE, ONE, ONE), packed(0, 0, 0, ONE)])
def test_a_matrix_that_flattens_counts_as_none(matrix):
    assert orientation(struct.pack("=9i", *matrix)) == (False, 0)


@pytest.mark.parametrize("matrix", EIGHT, ids=str)
def test_a_clip_is_shown_as_its_matrix_says(tmp_path, matrix):
    path = write(tmp_path / "a.mp4")
    body = bytearray(path.read_bytes())
    # ISO/IEC 14496-12, 8.3.2: the matrix follows 40 bytes of a version 0 track header.
    start = body.index(b"tkhd") + 4 + 40
    body[start : start + 36] = struct.pack(">9i", *(*matrix[:8], 1 << 30))
    path.write_bytes(body)
    found, want = first(path), moved(CORNER, matrix)
    assert found.shape == want.shape
    assert abs(found.astype(int) - want).mean() < 3


@pytest.mark.parametrize(
    ("aspect", "width"),
    [
        (None, 64),
        (Fraction(1), 64),
        (Fraction(2), 128),
        (Fraction(1, 2), 32),
        (Fraction(32, 27), 76),  # 75.85
        (Fraction(8, 9), 57),  # 56.89
    ],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_pixels_that_are_not_square_become_so(tmp_path, name, aspect, width):
    found = first(write(tmp_path / name, aspect=aspect))
    assert found.shape == (48, width, 3)
    # The white quarter stays a quarter.
    assert found[10, : width // 2 - 2].min() > 180
    assert found[10, width // 2 + 2 :].max() < 60


def test_the_shape_of_pixels_is_corrected_before_a_turn(tmp_path):
    path = write(tmp_path / "a.mp4", aspect=Fraction(2))
    body = bytearray(path.read_bytes())
    start = body.index(b"tkhd") + 4 + 40
    body[start : start + 36] = struct.pack(">9i", *packed(0, ONE, -ONE, 0)[:8], 1 << 30)
    path.write_bytes(body)
    assert first(path).shape == (128, 48, 3)


@pytest.mark.parametrize("aspect", [Fraction(100), Fraction(1, 100), Fraction(-1)])
def test_pixels_of_an_absurd_shape_are_refused(aspect):
    with pytest.raises(DataError, match=rf"a\.mp4: expected a pixel aspect ratio .* 1:{WIDEST}"):
        Upright(Path("a.mp4"), aspect)


def flat(luma, blue, red, colours):
    frame = av.VideoFrame(64, 48, "yuv420p")
    for plane, level in zip(frame.planes, (luma, blue, red), strict=True):
        plane.update(bytes([level]) * plane.buffer_size)
    frame.color_range = colours
    return frame


def from_yuv(luma, blue, red, *, full):
    """ITU-R BT.601 as numbers: full range, or luma in 16..235 and chroma in 16..240."""
    y = luma if full else (luma - 16) * 255 / 219
    u, v = ((chroma - 128) * (1 if full else 255 / 224) for chroma in (blue, red))
    rgb = (y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u)
    return np.clip(rgb, 0, 255)


@pytest.mark.parametrize("colours", [ColorRange.UNSPECIFIED, ColorRange.MPEG, ColorRange.JPEG])
@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "ffv1"), ("a.mkv", "mpeg4"), ("a.mp4", "libx264")]
)
@pytest.mark.parametrize("levels", [(16, 128, 128), (235, 128, 128), (120, 100, 150)], ids=str)
def test_brightness_follows_the_range_that_a_clip_says(tmp_path, name, codec, colours, levels):
    path = write(tmp_path / name, flat(*levels, colours), codec=codec, colours=colours)
    want = from_yuv(*levels, full=colours == ColorRange.JPEG)
    assert abs(first(path)[20, 20] - want).max() <= 4


def test_what_is_transparent_in_a_clip_shows_white(tmp_path):
    pixels = np.zeros((48, 64, 4), np.uint8)
    pixels[..., 0], pixels[:, 32:, 3] = 200, 255
    found = first(write(tmp_path / "a.mkv", pixels, codec="ffv1", form="bgra")).astype(int)
    assert (found[:, :32] == 255).all()
    assert (found[:, 32:] == (200, 0, 0)).all()
