import numpy as np
import pytest

from data.catalog import (
    FILE_READERS,
    READERS,
    RawImages,
    find_file_reader,
    find_reader,
    list_files,
    listing_digest,
    media_of,
)
from data.digest_cache import KnownDigests
from data.errors import DataError

IMAGES = np.zeros((2, 32, 32, 1), np.uint8)


def test_readers_are_listed_under_their_own_names():
    assert {"mnist", "svhn", "handwritten", "street"} <= set(READERS)
    assert all(reader.name == name for name, reader in READERS.items())


@pytest.mark.parametrize("name", ["mnist", "svhn", "handwritten", "street"])
def test_readers_of_digits_read_all_ten(name):
    assert READERS[name].classes == tuple("0123456789")


@pytest.mark.parametrize("name", READERS)
def test_every_reader_names_its_classes_once(name):
    classes = READERS[name].classes
    assert len(set(classes)) == len(classes) >= 2
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
    known = ", ".join(READERS)
    with pytest.raises(DataError, match=f"one of {known}, found 'usps'"):
        find_reader("usps")
    assert find_reader("svhn") is READERS["svhn"]


def test_readers_of_files_are_listed_under_their_own_names():
    assert {"ucf101", "bu101", "mpii", "clip_folders", "photo_table"} <= set(FILE_READERS)
    assert all(reader.name == name for name, reader in FILE_READERS.items())
    assert not set(READERS) & set(FILE_READERS)
    assert all(reader.version >= 1 for reader in FILE_READERS.values())


def test_what_a_data_set_is_made_of_is_known_by_its_name():
    media = {name: media_of(name) for name in [*READERS, *FILE_READERS]}
    assert {name for name, kind in media.items() if kind == "arrays"} == set(READERS)
    assert {name for name, kind in media.items() if kind == "clips"} == {
        *("ucf101", "clip_folders", "clip_table", "figure_clips", "clips"),
    }
    with pytest.raises(DataError, match=r"Expected photos or clips, one of ucf101, .*found 'usps'"):
        media_of("usps")
    assert find_file_reader("mpii") is FILE_READERS["mpii"]


@pytest.mark.parametrize("name", FILE_READERS)
def test_embedded_files_and_only_they_are_drawn_on_request(name, tmp_path, monkeypatch):
    reader = FILE_READERS[name]
    if not reader.embedded:
        with pytest.raises(DataError, match=f"Expected a data folder for '{name}', found none"):
            list_files(name, None, "train", drawn=tmp_path)
        return
    with pytest.raises(DataError, match=f"Expected a folder to draw '{name}' into, found none"):
        list_files(name, None, "train")
    drawn = []

    def make(_, folder, split):
        drawn.append(split)
        for file in reader.list(folder, split, partial=True).files if folder.exists() else ():
            raise AssertionError(file)
        folder.mkdir()

    monkeypatch.setattr(type(reader), "make", make)
    monkeypatch.setattr(type(reader), "list", lambda *_, **__: "listing")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "left.jpg").touch()
    for _ in range(2):
        # An interrupted drawing is redone, a complete one is not.
        assert list_files(name, None, "train", drawn=tmp_path / "half") == "listing"
    assert drawn == ["train"]
    assert not (tmp_path / "half" / "left.jpg").exists()


def test_a_listings_digest_is_of_names_classes_groups_and_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jpg").write_text(name)

    def digest():
        listing = list_files("photo_folders", tmp_path, "train")
        return listing_digest(listing, KnownDigests())

    before = digest()
    assert digest() == before
    (tmp_path / "a" / "x.jpg").write_text("changed")
    changed = digest()
    (tmp_path / "a" / "x.jpg").rename(tmp_path / "a" / "y.jpg")
    renamed = digest()
    (tmp_path / "a").rename(tmp_path / "c")
    assert len({before, changed, renamed, digest()}) == 4


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
