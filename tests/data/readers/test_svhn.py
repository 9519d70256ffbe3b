import numpy as np
import pytest

from data.errors import DataError
from data.readers.svhn import SvhnReader

READER = SvhnReader()


@pytest.mark.parametrize("compressed", [True, False])
def test_pixels_keep_their_place_and_become_luminance(write_svhn, svhn_content, compressed):
    root, path = write_svhn(svhn_content, compressed=compressed)
    raw = READER.read(root, "train")
    assert READER.files(root, "train") == (path,)
    assert raw.images.shape == (12, 32, 32, 1)
    for row, line, column in [(0, 0, 0), (3, 2, 30), (11, 31, 5)]:
        red, green, blue = (int(value) for value in svhn_content["X"][line, column, :, row])
        expected = (299 * red + 587 * green + 114 * blue + 500) // 1000
        assert raw.images[row, line, column, 0] == expected


def test_ten_is_the_digit_zero(write_svhn, svhn_content):
    root, _ = write_svhn(svhn_content)
    raw = READER.read(root, "train")
    assert raw.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]
    assert raw.labels.dtype == np.int64


def test_many_rows_are_read_in_order(write_svhn):
    n = 2050  # more than one chunk
    pixels = np.broadcast_to(np.arange(n) % 256, (32, 32, 3, n)).astype(np.uint8)
    root, _ = write_svhn({"X": pixels, "y": np.ones((n, 1))})
    images = READER.read(root, "train").images
    assert np.array_equal(images[:, 7, 9, 0], np.arange(n) % 256)


@pytest.mark.parametrize("shape", [(12,), (1, 12), (12, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64, np.int32])
def test_labels_may_be_a_row_a_column_or_numbers_of_any_type(
    write_svhn, svhn_content, shape, dtype
):
    labels = svhn_content["y"].astype(dtype).reshape(shape)
    root, _ = write_svhn(svhn_content | {"y": labels})
    assert READER.read(root, "train").labels[9] == 0


def test_a_reduced_file_is_named_as_what_it_is(write_svhn, svhn_content):
    root, _ = write_svhn(svhn_content)
    raw = READER.read(root, "train")
    assert not raw.official
    assert raw.origin == (
        "SVHN .mat with 12 of the official 73,257 training rows: not the official split"
    )


def test_the_official_count_is_official(write_svhn, svhn_content, monkeypatch):
    monkeypatch.setattr("data.readers.svhn.OFFICIAL_COUNTS", {"test": 12})
    root, _ = write_svhn(svhn_content, "test")
    raw = READER.read(root, "test")
    assert raw.official
    assert raw.origin == "SVHN .mat with 12 test rows, the official count"


def test_the_file_may_lie_directly_under_the_root(write_svhn, svhn_content):
    root, path = write_svhn(svhn_content, "test", folder=".")
    assert READER.files(root, "test") == (path,)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"Expected SVHN's test_32x32.mat in .*found neither"):
        READER.read(tmp_path, "test")


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.003, 0.01, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_one_line(write_svhn, svhn_content, share, compressed):
    root, path = write_svhn(svhn_content, compressed=compressed)
    body = path.read_bytes()
    path.write_bytes(body[: int(len(body) * share)])
    with pytest.raises(DataError) as caught:
        READER.read(root, "train")
    assert "train_32x32.mat" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("body", [b"PNG" * 500, bytes(4096), b"\x89HDF\r\n\x1a\n" * 90])
def test_another_format_is_refused(write_svhn, svhn_content, body):
    root, path = write_svhn(svhn_content)
    path.write_bytes(body)
    with pytest.raises(DataError, match=r"train_32x32\.mat"):
        READER.read(root, "train")


def test_a_pickle_is_never_loaded(write_svhn, svhn_content, tmp_path):
    root, path = write_svhn(svhn_content)
    trap = tmp_path / "sprung"
    path.write_bytes(b"cpathlib\nPath.touch\n(cpathlib\nPath\n(V%b\ntRtR." % str(trap).encode())
    with pytest.raises(DataError):
        READER.read(root, "train")
    assert not trap.exists()


@pytest.mark.parametrize("key", ["X", "y"])
def test_a_missing_variable_is_named(write_svhn, svhn_content, key):
    del svhn_content[key]
    root, _ = write_svhn(svhn_content)
    with pytest.raises(DataError, match=f"expected the variables X and y, found no array {key}"):
        READER.read(root, "train")


@pytest.mark.parametrize(
    "pixels", [np.zeros((12, 32, 32, 3), np.uint8), np.zeros((32, 32, 3, 12)), np.zeros((4, 4))]
)
def test_pixels_of_another_shape_or_type_are_refused(write_svhn, svhn_content, pixels):
    root, _ = write_svhn(svhn_content | {"X": pixels})
    with pytest.raises(DataError, match=r"expected X to be uint8 \[32, 32, 3, N\], found"):
        READER.read(root, "train")


@pytest.mark.parametrize("labels", [np.ones(11), np.ones((3, 4)), np.array(["a"] * 12)])
def test_labels_must_be_as_many_numbers_as_images(write_svhn, svhn_content, labels):
    root, _ = write_svhn(svhn_content | {"y": labels})
    with pytest.raises(DataError, match="expected y to contain 12 numbers"):
        READER.read(root, "train")


@pytest.mark.parametrize("wrong", [0, 11, -1, 2.5, np.nan])
def test_a_label_out_of_range_is_named_with_its_row(write_svhn, svhn_content, wrong):
    labels = svhn_content["y"].astype(np.float64)
    labels[4] = wrong
    root, _ = write_svhn(svhn_content | {"y": labels})
    with pytest.raises(DataError, match=rf"expected labels in 1\.\.10 .* found {wrong} in row 4"):
        READER.read(root, "train")


def test_a_download_brings_the_missing_split_and_keeps_the_other(
    write_svhn, svhn_content, monkeypatch
):
    def fake(root, split, download):
        assert download
        (root / f"{split}_32x32.mat").write_bytes(split.encode())

    monkeypatch.setattr("torchvision.datasets.SVHN", fake)
    root, path = write_svhn(svhn_content)
    before = path.read_bytes()
    READER.download(root)
    assert path.read_bytes() == before
    assert (root / "SVHN" / "test_32x32.mat").read_bytes() == b"test"
    assert len(list((root / "SVHN").iterdir())) == 2


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), RuntimeError("File not found or corrupted.")]
)
def test_a_failed_download_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, error):
    def fail(root, split, download):
        (root / "half").write_bytes(b"half")
        raise error

    monkeypatch.setattr("torchvision.datasets.SVHN", fail)
    with pytest.raises(DataError, match=r"Expected to download SVHN into .*check the network"):
        READER.download(tmp_path)
    assert list((tmp_path / "SVHN").iterdir()) == []
