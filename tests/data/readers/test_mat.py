"""MATLAB 5 files are validated before scipy parses them."""

import struct

import numpy as np
import pytest
import scipy.io

from data.readers.mat import load_mat


@pytest.fixture(params=[False, True], ids=["plain", "compressed"])
def stored(tmp_path, request):
    content = {
        "X": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        "y": np.array([[1.5], [2.5]]),
        "small": np.uint8([[1, 2]]),
        "names": np.array(["a", "bc"], object),
        "deep": {"one": {"two": np.int32([[3]])}, "text": "déjà"},
        "complex": np.array([[1 + 2j]]),
    }
    scipy.io.savemat(tmp_path / "a.mat", content, do_compression=request.param)
    return tmp_path / "a.mat"


def test_whatever_scipy_writes_is_read(stored):
    found = load_mat(stored, ("X", "y", "small", "names", "deep", "complex"))
    assert np.array_equal(found["X"].reshape(-1), np.arange(24))
    assert found["deep"]["one"][0, 0]["two"][0, 0] == 3
    assert found["deep"]["text"][0, 0][0] == "déjà"


def test_the_other_order_of_bytes_is_read(tmp_path):
    # A header and a matrix of two bytes named X: flags, dimensions, name, values.
    parts = (
        struct.pack(">4I", 6, 8, 9, 0),
        struct.pack(">4I", 5, 8, 1, 2),
        struct.pack(">HH4s", 1, 1, b"X"),
        struct.pack(">HH4s", 2, 2, b"\7\x08"),
    )
    body = b"".join(parts)
    head = b"MATLAB 5.0".ljust(124) + struct.pack(">HH", 0x0100, 0x4D49)
    (tmp_path / "a.mat").write_bytes(head + struct.pack(">2I", 14, len(body)) + body)
    assert load_mat(tmp_path / "a.mat", ("X",))["X"].tolist() == [[7, 8]]


@pytest.mark.parametrize("kind", [0, 8, 10, 19, 0x8002])
def test_an_element_of_no_type_never_reaches_the_parser(tmp_path, kind):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"X": np.zeros((32, 32, 3, 5), np.uint8)})
    body = bytearray(path.read_bytes())
    # scipy looks up the type of the values in a table without a bounds check.
    start = body.index(struct.pack("<2I", 2, 32 * 32 * 3 * 5))
    body[start : start + 4] = struct.pack("<I", kind)
    path.write_bytes(body)
    with pytest.raises(ValueError, match=rf"an element of type {kind} and 15360 bytes at 48"):
        load_mat(path, ("X",))


def test_an_element_longer_than_the_file_is_refused(stored):
    stored.write_bytes(stored.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"an element of type 1[45] and .* bytes at"):
        load_mat(stored, ("X",))


@pytest.mark.parametrize("content", [b"", b"text", bytes(200)])
def test_another_file_is_refused(tmp_path, content):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(ValueError, match="no byte order mark"):
        load_mat(tmp_path / "a.mat", ("X",))
