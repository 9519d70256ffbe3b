"""Raw data: found and named by their bytes, or refused, before anything runs."""

import hashlib

import pytest

from data.digest_cache import KnownDigests
from data.errors import DataError
from flows.experiment.experiment_file import settings_of
from flows.experiment.inputs import download_raw, find_raw
from flows.experiment.run_request import RunRequest
from tasks.errors import StageError


@pytest.fixture
def experiment(tiny):
    return settings_of(RunRequest(experiment=tiny(), scale="tiny"))


def test_embedded_data_have_no_files(experiment):
    raw = find_raw(experiment, None, KnownDigests())
    assert raw.root is None
    assert raw.digests == {("svhn", "train"): {}, ("mnist", "train"): {}, ("mnist", "test"): {}}


def test_files_are_named_by_their_sha256(experiment, raw_files):
    raw = find_raw(experiment, raw_files, KnownDigests())
    assert list(raw.digests) == [("svhn", "train"), ("mnist", "train"), ("mnist", "test")]
    mat = hashlib.sha256((raw_files / "SVHN" / "train_32x32.mat").read_bytes()).hexdigest()
    assert raw.digests["svhn", "train"] == {"train_32x32.mat": mat}
    assert set(raw.digests["mnist", "test"]) == {
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    }


def test_a_relative_folder_is_found_from_here(experiment, raw_files, monkeypatch):
    monkeypatch.chdir(raw_files.parent)
    assert find_raw(experiment, type(raw_files)("raw"), KnownDigests()).root == str(raw_files)


def test_an_empty_folder_name_is_not_the_embedded_data(tiny, tiny_order, tmp_path, monkeypatch):
    tiny()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="found neither"):
        tiny_order(data="")


@pytest.mark.parametrize(
    ("file", "split"),
    [
        ("SVHN/train_32x32.mat", "svhn train"),
        ("MNIST/raw/train-images-idx3-ubyte.gz", "mnist train"),
        ("MNIST/raw/t10k-labels-idx1-ubyte.gz", "mnist test"),
    ],
)
def test_a_missing_file_is_named_with_its_data_set(experiment, raw_files, file, split):
    (raw_files / file).unlink()
    name = (raw_files / file).name.removesuffix(".gz")
    with pytest.raises(DataError, match=f"^{split}: .*{name}"):
        find_raw(experiment, raw_files, KnownDigests())


def test_a_file_that_cannot_be_read_is_named(experiment, raw_files, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", "train_32x32.mat")

    monkeypatch.setattr("data.digest_cache.KnownDigests.sha256", refuse)
    with pytest.raises(DataError, match=r"read train_32x32\.mat, found: Permission denied: check"):
        find_raw(experiment, raw_files, KnownDigests())


def test_download_asks_every_reader_that_has_files(experiment, tmp_path, monkeypatch):
    asked = []

    class Reader:
        def __init__(self, name):
            self.name, self.embedded = name, name == "mnist"

        def download(self, root):
            asked.append((self.name, root))

    monkeypatch.setattr("flows.experiment.inputs.find_reader", Reader)
    download_raw(experiment, tmp_path)
    assert asked == [("svhn", tmp_path)]


# Faults inside the files: found by the stages, before the first training.


def test_good_files_reach_the_trainings(tiny_order, raw_files, up_to_training):
    errors, started = up_to_training(tiny_order(data=str(raw_files)))
    assert errors == []
    assert "k=2 draw=0: Source only lr=0.05" in started


def truncate(path):
    path.write_bytes(path.read_bytes()[:-200])


def magic(path):
    # An image file where labels should be: the magic number of another kind.
    path.write_bytes(path.with_name(path.name.replace("labels-idx1", "images-idx3")).read_bytes())


def text(path):
    path.write_text("<html>404</html>")


@pytest.mark.parametrize(
    ("file", "spoil", "words"),
    [
        ("SVHN/train_32x32.mat", truncate, "truncated"),
        ("SVHN/train_32x32.mat", text, "MATLAB 5 file"),
        ("MNIST/raw/train-images-idx3-ubyte.gz", truncate, "damaged"),
        ("MNIST/raw/train-labels-idx1-ubyte.gz", magic, "magic number 0x00000801"),
        ("MNIST/raw/t10k-images-idx3-ubyte.gz", truncate, "damaged"),
        ("MNIST/raw/t10k-labels-idx1-ubyte.gz", text, "damaged"),
    ],
)
def test_a_damaged_file_stops_everything_before_the_first_training(
    tiny_order, raw_files, up_to_training, file, spoil, words
):
    spoil(raw_files / file)
    errors, started = up_to_training(tiny_order(data=str(raw_files)))
    assert len(errors) == 1
    assert words in errors[0]
    assert str(raw_files / file) in errors[0]
    assert "\n" not in errors[0]
    assert started == []


def test_one_class_with_too_few_samples_for_one_k_stops_all_of_them(
    tiny_order, raw_files, up_to_training
):
    errors, started = up_to_training(tiny_order(data=str(raw_files), k=(2, 25)))
    assert errors == [
        "k=25 draw=0: split: Expected at least 35 training samples of class '5' (10 for "
        "hyper-validation, 25 for V), found 30: lower hyper_validation or k, or add samples."
    ]
    assert started == []


def test_a_full_disk_says_so_and_leaves_nothing_half_written(
    tiny_order, raw_files, up_to_training, monkeypatch, tmp_path
):
    def write_half(raw, folder, *, sealed):
        (folder / "images.npy").write_bytes(b"half")
        # Numpy's words for a full disk; it gives no errno.
        raise OSError("6144000 requested and 626560 written")

    monkeypatch.setattr("data.tables.prepared.save_prepared", write_half)
    with pytest.raises(
        StageError, match=r"svhn train: expected to write under .*home, found: "
    ) as e:
        up_to_training(tiny_order(data=str(raw_files)))
    assert "626560 written, with " in str(e.value)
    assert "MiB free; make room or choose another folder with --home." in str(e.value)
    assert not list((tmp_path / "home").rglob("images.npy"))
    assert not (tmp_path / "home" / "artifacts").exists()
