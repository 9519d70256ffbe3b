"""Folders of splits are distinguished from folders of classes."""

import pytest

from data.errors import DataError
from data.readers.split_folders import find_splits, role_of


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *((name, "train") for name in ("train", "TRAIN", "Training", "seg_train", "train2017")),
        *((name, "train") for name in ("Train Set", "trainset", "train-images", "Training_Data")),
        *((name, "test") for name in ("test", "Testing", "seg_test", "test1", "testset", "eval")),
        *((name, "validation") for name in ("val", "valid", "Validation", "dev", "valset")),
        *((name, None) for name in ("cat", "trains", "testament", "train_test", "train station")),
        *((name, None) for name in ("", "1", "set", "images", "contest", "deviation")),
    ],
)
def test_a_split_is_known_by_its_name(name, role):
    assert role_of(name) == role


def look(*files, partial=False, root="data"):
    folders = {"/".join(path.split("/")[:depth]) for path in files for depth in (1, 2, 3)}
    return find_splits(root, folders - set(files), files, partial=partial)


def sides(*names, classes=("cat", "dog")):
    return [f"{side}/{name}/1.jpg" for side in names for name in classes]


def test_classes_are_no_splits():
    assert look("cat/1.jpg", "dog/1.jpg") == {"train": ""}
    # The layout of Tiny ImageNet.
    assert look("n01/images/1.jpg", "n02/images/1.jpg") == {"train": ""}
    assert look("run/day/1.jpg", "run/night/1.jpg", "walk/day/1.jpg") == {"train": ""}
    assert look("run/1.jpg", *sides("walk", "jump", classes=("a", "b"))) == {"train": ""}
    assert look(*sides("train", classes=("steam",)), *sides("plane", classes=("jet",))) == {
        "train": ""
    }


def test_train_and_test_are_splits():
    assert look(*sides("train", "test")) == {"train": "train/", "test": "test/"}
    assert look(*sides("TEST", "Train")) == {"train": "Train/", "test": "TEST/"}
    assert look(*sides("test")) == {"test": "test/"}


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (("Training", "Testing"), {"train": "Training/", "test": "Testing/"}),
        (("seg_train", "seg_test"), {"train": "seg_train/", "test": "seg_test/"}),
        (("train", "dev"), {"train": "train/"}),
        (("train", "test", "Validation"), {"train": "train/", "test": "test/"}),
        (("trainset",), {"train": "trainset/"}),
    ],
)
def test_other_names_of_splits_are_taken_where_that_is_said(names, places):
    with pytest.raises(DataError, match=r"only the folders train and test .*or continue anyway"):
        look(*sides(*names))
    assert look(*sides(*names), partial=True) == places


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize(
    "names",
    [("train", "training"), ("train", "test", "holdout"), ("seg_train", "seg_test", "seg_pred")],
)
def test_folders_that_cannot_be_told_apart_are_refused(names, partial):
    with pytest.raises(DataError, match=r"Expected only the folders train and test in data"):
        look(*sides(*names), partial=partial)


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("names", [("one", "two"), ("site A", "site B"), ("train", "holdout")])
def test_folders_that_share_their_subfolders_are_no_classes(names, partial):
    first, second = sorted(names)
    with pytest.raises(DataError, match=rf"found {first} and {second}, .*\(cat, dog\), as splits"):
        look(*sides(*names), partial=partial)


def test_classes_with_the_splits_inside_are_refused():
    with pytest.raises(DataError, match=r"found cat and dog, .*same folders \(test, train\)"):
        look(*sides("cat", "dog", classes=("train", "test")))


def test_splits_one_level_deeper_are_named():
    with pytest.raises(DataError, match=r"found test, train in pets: give data/pets"):
        look("pets/train/cat/1.jpg", "pets/test/cat/1.jpg", root=__import__("pathlib").Path("data"))


def test_a_folder_of_the_same_name_inside_is_entered():
    files = [f"seg_{side}/seg_{side}/sea/1.jpg" for side in ("train", "test")]
    assert look(*files, partial=True) == {
        "train": "seg_train/seg_train/",
        "test": "seg_test/seg_test/",
    }
