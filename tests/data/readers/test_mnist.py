import gzip

import numpy as np
import pytest

from data.errors import DataError
from data.readers.mnist import FOLDER, MnistReader

READER = MnistReader()
LABELS = np.array([3, 0, 9])
IMAGES = np.random.default_rng(1).integers(0, 256, (3, 28, 28))


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("split", ["train", "test"])
def test_images_are_padded_and_keep_their_labels(write_mnist, split, compressed):
    root, *paths = write_mnist(IMAGES, LABELS, split, compressed)
    raw = READER.read(root, split)
    assert READER.files(root, split) == tuple(paths)
    assert raw.images.shape == (3, 32, 32, 1)
    assert np.array_equal(raw.images[:, 2:30, 2:30, 0], IMAGES)
    assert raw.labels.tolist() == [3, 0, 9]
    assert raw.labels.dtype == np.int64


def test_a_reduced_file_is_named_as_what_it_is(write_mnist):
    root, *_ = write_mnist(IMAGES, LABELS)
    raw = READER.read(root, "train")
    assert not raw.official
    assert raw.origin == (
        "MNIST idx files with 3 of the official 60,000 training rows: not the official split"
    )


def test_the_official_count_is_official(write_mnist):
    root, *_ = write_mnist(np.zeros((10_000, 28, 28)), np.zeros(10_000), "test", compressed=False)
    raw = READER.read(root, "test")
    assert raw.official
    assert raw.origin == "MNIST idx files with 10,000 test rows, the official count"


def test_the_splits_are_not_confused(write_mnist):
    write_mnist(IMAGES, LABELS, "train")
    root, *_ = write_mnist(IMAGES[:2], LABELS[:2], "test")
    assert len(READER.read(root, "train").labels) == 3
    assert len(READER.read(root, "test").labels) == 2


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"Expected MNIST's train-images-idx3-ubyte or .*\.gz in"):
        READER.read(tmp_path, "train")


def test_no_folder_is_one_line():
    with pytest.raises(DataError, match="Expected a data folder for 'mnist', found none"):
        READER.read(None, "train")


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(DataError, match="Expected split to be one of train, test, found 'extra'"):
        READER.read(tmp_path, "extra")


def test_swapped_files_are_refused(write_mnist):
    root, images, labels = write_mnist(IMAGES, LABELS)
    content = images.read_bytes()
    images.write_bytes(labels.read_bytes())
    labels.write_bytes(content)
    with pytest.raises(DataError, match="0x00000803, found 0x00000801"):
        READER.read(root, "train")


def test_images_and_labels_must_be_as_many(write_mnist):
    root, *_ = write_mnist(IMAGES, LABELS[:2])
    with pytest.raises(DataError, match=r"expected 3 labels, one for each image .* found 2"):
        READER.read(root, "train")


def test_a_label_above_nine_is_named_with_its_row(write_mnist):
    root, *_ = write_mnist(IMAGES, [1, 10, 200])
    with pytest.raises(DataError, match=r"expected labels in 0\.\.9, found 10 in row 1"):
        READER.read(root, "train")


def test_other_image_sizes_are_refused(write_mnist):
    root, *_ = write_mnist(np.zeros((3, 32, 28)), LABELS)
    with pytest.raises(DataError, match="expected 28x28 images, found 32x28"):
        READER.read(root, "train")


def test_an_empty_file_is_refused(write_mnist):
    root, *_ = write_mnist(np.zeros((0, 28, 28)), np.zeros(0))
    with pytest.raises(DataError, match="at least one"):
        READER.read(root, "train")


class FakeMnist:
    """Stand-in for torchvision.datasets.MNIST that writes the files of a download."""

    def __init__(self, root, train, download):
        assert train
        assert download
        folder = root / FOLDER
        folder.mkdir(parents=True)
        for prefix in ("train", "t10k"):
            for kind in ("images-idx3", "labels-idx1"):
                (folder / f"{prefix}-{kind}-ubyte").write_bytes(b"unpacked")
                (folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(b"new"))


def test_a_download_leaves_the_four_official_files_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.MNIST", FakeMnist)
    READER.download(tmp_path)
    names = sorted(path.name for path in (tmp_path / FOLDER).iterdir())
    assert names == [
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]


def test_a_download_leaves_files_that_are_there_alone(write_mnist, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.MNIST", FakeMnist)
    root, images, labels = write_mnist(IMAGES, LABELS, compressed=False)
    before = images.read_bytes(), labels.read_bytes()
    READER.download(root)
    assert (images.read_bytes(), labels.read_bytes()) == before
    assert not images.with_name(images.name + ".gz").exists()
    assert len(READER.files(root, "test")) == 2


def test_nothing_is_fetched_when_nothing_is_missing(write_mnist, monkeypatch):
    write_mnist(IMAGES, LABELS, "train")
    root, *_ = write_mnist(IMAGES, LABELS, "test")
    monkeypatch.setattr("torchvision.datasets.MNIST", None)
    READER.download(root)


def test_no_network_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    def unreachable(*args, **kwargs):
        raise RuntimeError("Error downloading\ntrain-images")

    monkeypatch.setattr("torchvision.datasets.MNIST", unreachable)
    with pytest.raises(
        DataError, match=r"Expected to download MNIST .*Error downloading train-images\): check the"
    ):
        READER.download(tmp_path)
    assert list((tmp_path / FOLDER).iterdir()) == []
