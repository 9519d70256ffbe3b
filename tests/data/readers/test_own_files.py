"""The user's own files, labelled or not, in folders or tables."""

from pathlib import Path

import pytest

from data.catalog import find_file_reader, list_files, listing_digest
from data.digest_cache import KnownDigests
from data.errors import DataError
from data.listing import UNLABELLED
from data.readers.own_files import find_media, list_labelled, list_unlabelled


@pytest.fixture
def grow(tmp_path):
    """Write files that contain their own names; return the root."""

    def write(*paths, **texts):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(path)
        for name, text in texts.items():
            (tmp_path / f"{name}.csv").write_text(text)
        return tmp_path

    return write


def shown(listing):
    return {file.path: listing.class_of(file) for file in listing.files}


def test_labelled_files_lie_in_folders_or_in_a_table(grow):
    root = grow("cat/1.jpg", "dog/2.jpg", t="path,label\ndog/2.jpg,wolf\ncat/1.jpg,lynx\n")
    assert shown(list_labelled(root)) == {"cat/1.jpg": "cat", "dog/2.jpg": "dog"}
    listing = list_labelled(root / "t.csv")
    assert list(shown(listing).items()) == [("dog/2.jpg", "wolf"), ("cat/1.jpg", "lynx")]
    assert listing.classes == ("lynx", "wolf")
    assert listing.root == root
    assert listing.origin == "2 training photos of 2 classes in t.csv: no published data set"


def test_a_table_reader_is_in_the_catalog(grow):
    root = grow("1.jpg", "2.jpg", train="path,label\n1.jpg,a\n", test="path,label\n2.jpg,A\n")
    assert find_file_reader("photo_table").media == "photos"
    for place, split in ((root, "train"), (root, "test"), (root / "train.csv", "train")):
        listing = list_files("photo_table", place, split)
        assert shown(listing) == {"1.jpg" if split == "train" else "2.jpg": "a"}
    with pytest.raises(DataError, match=r"Expected a table test.csv or test.parquet in .*found no"):
        list_files("photo_table", root / "train.csv", "test")


def test_a_class_in_one_table_alone_is_refused_and_partial_goes_on(grow):
    root = grow("1.jpg", "2.jpg", train="path,label\n1.jpg,a\n", test="path,label\n2.jpg,b\n")
    with pytest.raises(DataError, match=r"the same classes .* found a in only one: .*--partial"):
        list_files("photo_table", root, "train")
    assert list_files("photo_table", root, "test", partial=True).classes == ("a", "b")


@pytest.mark.parametrize(
    ("test", "found"),
    [("path,label,group\n2.avi,a,g1\n", "found g1 in both"),
     ("path,label\n1.avi,a\n", "no recording|found 1.avi")],
)  # fmt: skip
def test_a_recording_or_file_in_both_tables_is_refused(grow, test, found):
    train = "path,label,group\n1.avi,a,g1\n" if "g1" in test else "path,label\n1.avi,a\n"
    root = grow("1.avi", "2.avi", train=train, test=test)
    with pytest.raises(DataError, match=found):
        list_files("clip_table", root, "train", partial=True)


def test_two_tables_of_one_split_are_refused(grow):
    root = grow("1.jpg", "train.parquet", train="path,label\n1.jpg,a\n")
    with pytest.raises(DataError, match=r"one train table in .*train\.csv and train\.parquet"):
        list_files("photo_table", root, "train")


def test_a_clip_among_photos_is_named_with_its_row(grow):
    root = grow("1.jpg", "2.mp4", t="path,label\n1.jpg,a\n2.mp4,a\n")
    with pytest.raises(DataError, match=r"t\.csv, row 3: expected only photos, found 2\.mp4"):
        list_labelled(root / "t.csv", media="photos")
    with pytest.raises(DataError, match=r"Expected either photos or clips at .*photos and clips"):
        list_labelled(root / "t.csv")


def test_unlabelled_files_lie_anywhere_below_some_folders_or_in_tables(grow):
    root = grow(
        *("u/1.jpg", "u/deep/er/2.png", "u/notes.txt", "u/@eaDir/x.jpg", "u/3.heic"),
        *("more/4.jpg", "far/5.jpg", "far/6.jpg"),
        t="path,group\nmore/4.jpg,g\nu/1.jpg,\n",
    )
    listing = list_unlabelled([root / "u", root / "t.csv", root / "far" / "5.jpg"])
    assert listing.root == root
    assert listing.classes == ()
    assert [(file.path, file.label, file.group) for file in listing.files] == [
        ("u/1.jpg", UNLABELLED, "u/1.jpg"),
        ("u/deep/er/2.png", UNLABELLED, "u/deep/er/2.png"),
        ("more/4.jpg", UNLABELLED, "g"),
        ("far/5.jpg", UNLABELLED, "far/5.jpg"),
    ]
    assert listing.skipped == {
        "files that are not photos": 1,
        "photos in an unsupported format": 1,
        "thumbnails and folders of network drives": 1,
    }
    assert listing.origin == "4 unlabelled photos: no published data set"
    assert all((listing.root / file.path).is_file() for file in listing.files)


def test_unlabelled_files_have_a_digest_of_their_own(grow):
    root = grow("u/cat/1.jpg")
    known = KnownDigests()
    unlabelled, labelled = list_unlabelled([root / "u"]), list_labelled(root / "u")
    assert listing_digest(unlabelled, known) != listing_digest(labelled, known)
    assert listing_digest(unlabelled, known) == listing_digest(
        list_unlabelled([root / "u" / "cat", root / "u"]), known
    )


@pytest.mark.parametrize(
    ("paths", "kind"),
    [
        (("a.jpg",), "photos"),
        (("b.mp4",), "clips"),
        (("a.gif",), "photos"),
        (("a.gif", "b.mp4"), None),
    ],
)
def test_what_the_files_are_is_told_by_their_suffixes(grow, paths, kind):
    root = grow(*paths)
    if kind:
        assert find_media(root) == kind
    else:
        with pytest.raises(
            DataError, match="found photos and clips: make each a separate data set"
        ):
            find_media(root)


def test_no_file_at_all_is_one_line(grow):
    root = grow("u/notes.txt")
    with pytest.raises(DataError, match=r"Expected either photos or clips at .*u, found neither"):
        list_unlabelled([root / "u"])
    with pytest.raises(DataError, match="expected at least one file, found none"):
        list_unlabelled([root / "u"], media="photos")
    with pytest.raises(DataError, match=r"a folder or a table of unlabelled files, found none"):
        list_unlabelled([])
    with pytest.raises(DataError, match=r"Expected a readable folder at .*gone"):
        list_labelled(root / "gone")


def test_classes_of_another_split_are_taken_over_by_name(grow):
    root = grow("a/tea/1.jpg", "b/Tea/2.jpg", "b/ale/3.jpg")
    mine, wider = list_labelled(root / "a"), list_labelled(root / "b")
    assert shown(mine.with_classes(wider.classes)) == {"tea/1.jpg": "Tea"}
    with pytest.raises(DataError, match="expected only the classes tea, found also ale: remove"):
        wider.with_classes(mine.classes)


def test_relative_places_are_those_of_the_working_directory(grow, monkeypatch):
    root = grow("u/1.jpg", "u/x/2.jpg")
    monkeypatch.chdir(root / "u")
    listing = list_unlabelled([Path("x"), Path("../u/1.jpg")])
    assert (listing.root, [file.path for file in listing.files]) == (
        root / "u",
        ["x/2.jpg", "1.jpg"],
    )
