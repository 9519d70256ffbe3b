"""A file of images or maps written in batches."""

import numpy as np
import pytest

from data.errors import DataError
from data.images.npy_writer import ImageFile


@pytest.mark.parametrize("dtype", [np.uint8, np.float16])
@pytest.mark.parametrize(("most", "written"), [(5, 5), (5, 2), (1000, 7), (1, 1)])
def test_the_file_holds_what_was_written_and_no_more(tmp_path, most, written, dtype):
    rows = np.random.default_rng(0).integers(0, 256, (written, 4, 3, 2)).astype(dtype)
    file = ImageFile(tmp_path / "images.npy", most, (4, 3, 2), dtype)
    for start in range(0, written, 3):
        file.append(rows[start : start + 3])
    found = file.close()
    assert np.array_equal(found, rows)
    assert found.dtype == dtype
    np.save(tmp_path / "expected.npy", rows)
    assert (tmp_path / "images.npy").read_bytes() == (tmp_path / "expected.npy").read_bytes()


def test_a_file_that_is_there_is_replaced_and_not_written_into(tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, np.ones((2, 3)))
    kept = tmp_path / "kept.npy"
    kept.hardlink_to(path)
    file = ImageFile(path, 1, (3,))
    file.append(np.zeros((1, 3), np.uint8))
    assert file.close().tolist() == [[0, 0, 0]]
    assert np.load(kept).tolist() == [[1, 1, 1], [1, 1, 1]]


def test_what_does_not_fit_the_disk_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(DataError, match=r"expected 4998\.0 GiB .*GiB free: make room, or lower"):
        ImageFile(tmp_path / "images.npy", 2**25 + 2**21, (224, 224, 3))
    assert not (tmp_path / "images.npy").exists()
