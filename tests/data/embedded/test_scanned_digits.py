import numpy as np
import pytest

from data.embedded import scanned_digits
from data.embedded.scanned_digits import HandwrittenReader
from data.errors import DataError

READER = HandwrittenReader()


def pixel_set(images):
    return {image.tobytes() for image in images}


def test_the_two_splits_cover_all_images_and_share_none():
    train, test = READER.read(None, "train"), READER.read(None, "test")
    assert len(train.labels) + len(test.labels) == 1797
    assert len(pixel_set(train.images)) == len(train.labels)
    assert not pixel_set(train.images) & pixel_set(test.images)


def test_every_class_is_cut_at_seventy_percent():
    train, test = READER.read(None, "train"), READER.read(None, "test")
    shares = np.bincount(train.labels) / (np.bincount(train.labels) + np.bincount(test.labels))
    assert np.allclose(shares, 0.7, atol=0.005)


def test_digits_fill_the_box_of_mnist():
    images = READER.read(None, "train").images
    assert images.dtype == np.uint8
    assert images.shape[1:] == (32, 32, 1)
    assert images[:, 6:26, 6:26].sum() == images.sum()
    assert images.max() == 255


def test_images_keep_the_label_of_the_original():
    # Shrunk back and compared at every second pixel, nearly every image is closest to an original
    # of its own class; with shuffled labels it would be one in ten.
    from sklearn.datasets import load_digits

    raw, bunch = READER.read(None, "test"), load_digits()
    boxes = raw.images[:50, 6:26, 6:26, 0].astype(float)
    shrunk = boxes[:, 1::5, 1::5].reshape(50, -1)
    originals = bunch.images[:, ::2, ::2].reshape(1797, -1) * 255 / 16
    nearest = ((shrunk[:, None] - originals[None]) ** 2).sum(2).argmin(1)
    assert (bunch.target[nearest] == raw.labels[:50]).mean() > 0.9


def test_the_originals_are_those_that_scikit_learn_loads():
    from sklearn.datasets import load_digits

    images, labels = scanned_digits._originals()
    bunch = load_digits()
    assert np.array_equal(images, bunch.images)
    assert np.array_equal(labels, bunch.target)


def test_digits_that_are_not_there_are_one_line(monkeypatch):
    monkeypatch.setattr(scanned_digits, "TABLE", "datasets/data/none.csv.gz")
    with pytest.raises(DataError, match=r"digits in .*none\.csv\.gz, found none; install"):
        READER.read(None, "test")


def test_reading_twice_gives_the_same_bytes():
    first, second = READER.read(None, "test"), READER.read(None, "test")
    assert first.images.tobytes() == second.images.tobytes()
    assert first.labels.tobytes() == second.labels.tobytes()


def test_it_has_no_files_and_no_download(tmp_path):
    assert READER.files(None, "train") == ()
    with pytest.raises(DataError, match="found 'handwritten', which is embedded"):
        READER.download(tmp_path)


def test_an_unknown_split_is_refused():
    with pytest.raises(DataError, match="found 'validation'"):
        READER.read(None, "validation")
