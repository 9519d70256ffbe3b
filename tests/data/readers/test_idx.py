import gzip
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from data.errors import DataError
from data.readers.idx import parse_idx, read_idx

ARRAYS = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=6), fill=st.nothing()
)


@given(array=ARRAYS, compressed=st.booleans())
def test_reading_what_was_written_gives_the_same_array(idx_bytes, array, compressed):
    body = idx_bytes(array)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("a.gz" if compressed else "a")
        path.write_bytes(gzip.compress(body) if compressed else body)
        read = read_idx(path, axes=array.ndim)
    assert read.shape == array.shape
    assert np.array_equal(read, array)


@given(array=ARRAYS, cut=st.integers(min_value=1, max_value=10))
def test_any_missing_byte_is_noticed(idx_bytes, array, cut):
    body = idx_bytes(array)
    with pytest.raises(DataError, match="truncated"):
        parse_idx(body[: max(0, len(body) - cut)], array.ndim, "digits")


def test_the_bytes_are_those_of_the_published_format():
    # magic 0x0803, then 1 image of 2 x 3 pixels, all big-endian
    body = bytes.fromhex("00000803 00000001 00000002 00000003 010203040506")
    assert parse_idx(body, 3, "x").tolist() == [[[1, 2, 3], [4, 5, 6]]]


def test_trailing_bytes_are_refused(idx_bytes):
    body = idx_bytes(np.arange(5)) + b"\0"
    with pytest.raises(
        DataError, match=r"labels: expected 5 bytes of data for shape \[5\], found 6: the file has "
    ):
        parse_idx(body, 1, "labels")


def test_a_wrong_magic_number_is_named_in_hex(idx_bytes):
    with pytest.raises(
        DataError, match="expected the idx magic number 0x00000803, found 0x00000801"
    ):
        parse_idx(idx_bytes(np.arange(5)), 3, "images")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"Expected an idx file at .*gone.gz, found none"):
        read_idx(tmp_path / "gone.gz", axes=1)


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body[:-12],
        lambda body: body[:20],
        lambda body: b"not gzip" + body,
        lambda body: body[:40] + bytes(20) + body[60:],
        lambda body: body + b"more",
        lambda body: body[:-5] + bytes([body[-5] ^ 1]) + body[-4:],
    ],
)
def test_damaged_gzip_is_one_line(tmp_path, idx_bytes, damage):
    noise = np.random.default_rng(0).integers(0, 256, 200)
    path = tmp_path / "labels.gz"
    path.write_bytes(damage(gzip.compress(idx_bytes(noise))))
    with pytest.raises(DataError, match=r"found a damaged one \(.*download it again") as caught:
        read_idx(path, axes=1)
    assert "\n" not in str(caught.value)
