"""Labelled and unlabelled files as one listing."""

import pytest

from data.digest_cache import KnownDigests
from data.errors import DataError
from data.listing import UNLABELLED
from data.readers.own_files import OWN_PHOTOS
from data.unlabelled_files import TWICE, with_unlabelled


@pytest.fixture
def put(tmp_path):
    def write(name, content=None):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content or name)

    return write


def listed(tmp_path, labelled="labelled", unlabelled="unlabelled"):
    one = OWN_PHOTOS.list(tmp_path / labelled, "train")
    return with_unlabelled(one, [tmp_path / unlabelled], "photos", KnownDigests())


def test_labelled_files_come_first_and_paths_start_at_the_folder_of_all(tmp_path, put):
    for name in ("labelled/pan/a.png", "labelled/cup/a.png", "unlabelled/deep/a.png"):
        put(name)
    found = listed(tmp_path)
    assert found.root == tmp_path
    assert [(file.path, found.class_of(file)) for file in found.files] == [
        ("labelled/cup/a.png", "cup"),
        ("labelled/pan/a.png", "pan"),
        ("unlabelled/deep/a.png", None),
    ]
    assert found.files[-1].label == UNLABELLED


def test_an_unlabelled_copy_of_a_labelled_file_is_left_out_and_counted(tmp_path, put):
    put("all/labelled/cup/a.png", "same")
    put("all/labelled/pan/a.png")
    put("all/copy.png", "same")
    put("all/other.png")
    found = listed(tmp_path, "all/labelled", "all")
    assert [file.path for file in found.files if file.label == UNLABELLED] == ["other.png"]
    # The copy, and the labelled files themselves.
    assert found.skipped[TWICE] == 3


def test_without_a_file_to_label_it_is_refused(tmp_path, put):
    put("labelled/cup/a.png", "same")
    put("unlabelled/b.png", "same")
    with pytest.raises(DataError, match=r"Expected unlabelled photos at .* found only labelled"):
        listed(tmp_path)


def test_a_folder_without_splits_is_the_split_that_is_asked_for(tmp_path, put):
    put("given/cup/a.png")
    assert len(OWN_PHOTOS.list(tmp_path / "given", "test").files) == 1
    put("both/train/cup/a.png")
    put("both/test/cup/b.png")
    assert OWN_PHOTOS.list(tmp_path / "both", "test").files[0].path == "test/cup/b.png"
