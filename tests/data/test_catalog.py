import numpy as np
import pytest

from data.catalog import READERS, RawImages, find_reader
from data.errors import DataError

IMAGES = np.zeros((2, 32, 32, 1), np.uint8)


def test_readers_are_listed_under_their_own_names():
    assert list(READERS) == ["mnist", "svhn", "handwritten", "street"]
    assert all(reader.name == name for name, reader in READERS.items())


@pytest.mark.parametrize("name", READERS)
def test_every_reader_reads_the_ten_digits(name):
    assert READERS[name].classes == tuple("0123456789")
    assert READERS[name].version >= 1


@pytest.mark.parametrize("name", READERS)
def test_embedded_readers_and_only_they_work_without_a_folder(name):
    if READERS[name].embedded:
        assert READERS[name].files(None, "train") == ()
    else:
        with pytest.raises(DataError, match=f"Expected a data folder for '{name}'"):
            READERS[name].files(None, "train")


@pytest.mark.parametrize("name", READERS)
def test_every_reader_refuses_an_unknown_split(name, tmp_path):
    for call in (READERS[name].files, READERS[name].read):
        with pytest.raises(DataError, match="found 'extra'"):
            call(tmp_path, "extra")


def test_an_unknown_data_set_is_one_line():
    with pytest.raises(DataError, match="one of mnist, svhn, handwritten, street, found 'usps'"):
        find_reader("usps")
    assert find_reader("svhn") is READERS["svhn"]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (
            IMAGES[..., 0],
            [0, 1],
            r"expected uint8 images \[N, H, W, C\], found uint8 \[2, 32, 32\]",
        ),
        (IMAGES.astype(float), [0, 1], "found float64"),
        (IMAGES, [0], r"for each of 2 .*found int64 \[1\]"),
        (IMAGES[:0], [], "at least one"),
        (IMAGES, [0, 2], r"expected labels in 0\.\.1, found 0\.\.2"),
        (IMAGES, [-1, 1], r"found -1\.\.1"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(images, labels, message):
    with pytest.raises(DataError, match=message):
        RawImages(
            images=images,
            labels=np.array(labels, np.int64),
            classes=("cat", "dog"),
            origin="pets",
            official=False,
        )
