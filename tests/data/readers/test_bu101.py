from pathlib import Path

import pytest

from data.errors import DataError
from data.readers.bu101 import Bu101Reader, class_of

READER = Bu101Reader()


@pytest.fixture
def grow(tmp_path):
    """Write photos, and lists by name, under a home; return the root."""

    def write(*photos, home="BU101", **lists):
        for path in photos:
            (tmp_path / home / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / home / path).touch()
        for name, text in lists.items():
            (tmp_path / home / f"{name}.txt").write_bytes(text.encode())
        return tmp_path

    return write


def _shown(listing):
    return {file.path: listing.classes[file.label] for file in listing.files}


@pytest.mark.parametrize("home", ["BU101", "bu-101", "."])
@pytest.mark.parametrize("inner", ["", "images/", "Images/"])
def test_a_folder_for_each_class(grow, home, inner):
    photos = ("YoYo/1.jpg", "Archery/b.PNG", "Archery/more/a.jpeg", "Archery/1.jpg")
    root = grow(*(inner + photo for photo in photos), home=home)
    listing = READER.list(root, "train")
    assert listing.root == root / home
    assert [file.path.removeprefix(inner) for file in listing.files] == sorted(photos)
    assert listing.classes == ("Archery", "YoYo")
    assert [file.label for file in listing.files] == [0, 0, 0, 1]
    assert [file.group for file in listing.files] == [file.path for file in listing.files]


@pytest.mark.parametrize("inner", ["", "images/"])
def test_flat_names_tell_the_class(grow, inner):
    root = grow(f"{inner}YoYo_12.png", f"{inner}apply_eye_makeup_3.jpg")
    assert _shown(READER.list(root, "train")) == {
        f"{inner}YoYo_12.png": "YoYo",
        f"{inner}apply_eye_makeup_3.jpg": "ApplyEyeMakeup",
    }


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_list_tells_the_class_and_the_order(grow, end):
    lines = ("images/b 1.jpg YoYo", "", "a.jpg Apply Eye Makeup", "./images/C.JPG  yoyo")
    root = grow("images/a.jpg", "images/b 1.jpg", "images/c.jpg", files=end.join(lines))
    listing = READER.list(root, "train")
    assert list(_shown(listing).items()) == [
        ("images/b 1.jpg", "YoYo"),
        ("images/a.jpg", "ApplyEyeMakeup"),
        ("images/c.jpg", "YoYo"),
    ]
    assert listing.classes == ("ApplyEyeMakeup", "YoYo")


def test_a_list_may_number_classes_that_the_folders_name(grow):
    root = grow(
        "images/YoYo/1.jpg",
        "images/YoYo/2.jpg",
        "images/Archery/1.jpg",
        files="YoYo/1.jpg 100\nArchery/1.jpg 2\nYoYo/2.jpg 100\n",
    )
    assert list(_shown(READER.list(root, "train")).values()) == ["YoYo", "Archery", "YoYo"]


def test_a_number_that_the_folders_do_not_explain_is_refused(grow):
    root = grow("images/a.jpg", "images/b.jpg", files="\na.jpg 7\n")
    with pytest.raises(DataError, match=r"files\.txt, line 2: expected a class name"):
        READER.list(root, "train")


@pytest.mark.parametrize(
    "line", ["YoYo/2.jpg Archery", "YoYo/2.jpg 1", "images/YoYo_3.png Archery", "YoYo_4.png 1"]
)
def test_a_label_that_its_folder_or_name_denies_is_refused(grow, line):
    root = grow("images/Archery/1.jpg", files=f"Archery/1.jpg 1\n{line}\n")
    with pytest.raises(DataError, match=r"line 2: expected a photo of Archery, .* one of YoYo"):
        READER.list(root, "train", partial=True)


@pytest.mark.parametrize("line", ["a.jpg", "a.jpg Juggling", "a YoYo", "YoYo a.jpg"])
def test_a_line_that_cannot_be_read_is_named_with_its_number(grow, line):
    root = grow("images/a.jpg", "images/b.jpg", files=f"b.jpg YoYo\n\n{line}")
    with pytest.raises(DataError, match=r"files\.txt, line 3: expected '<photo> <one of"):
        READER.list(root, "train", partial=True)


@pytest.mark.parametrize("again", ["a.jpg", "images/a.jpg", "./A.JPG"])
def test_a_photo_that_is_named_twice_is_refused(grow, again):
    root = grow("images/a.jpg", files=f"a.jpg YoYo\n{again} Archery\n")
    with pytest.raises(DataError, match=r"line 2: expected every photo once, found .* again"):
        READER.list(root, "train")


def test_photos_that_a_list_names_and_are_absent(grow):
    root = grow("images/a.jpg", "images/z.jpg", files="a.jpg YoYo\nb.jpg Archery\n")
    with pytest.raises(DataError, match=r"Expected 2 photos of files\.txt .* found 1, .*b\.jpg:"):
        READER.list(root, "train")
    listing = READER.list(root, "train", partial=True)
    assert _shown(listing) == {"images/a.jpg": "YoYo"}
    assert listing.skipped == {
        "named in files.txt but missing": 1,
        "photos not named in files.txt": 1,
    }


def test_two_lists_are_refused(grow):
    root = grow("images/a.jpg", train="a.jpg YoYo", val="b.jpg YoYo")
    with pytest.raises(DataError, match=r"Expected one list of photos .*train\.txt and val\.txt"):
        READER.list(root, "train")


def test_a_text_for_readers_is_no_list(grow):
    root = grow("YoYo/1.jpg", Readme="BU101.\nSee montage.jpg for examples, and 1.jpg too.\n")
    (root / "BU101" / "licence.txt").write_bytes(b"\xa9 caf\xe9")
    listing = READER.list(root, "train")
    assert _shown(listing) == {"YoYo/1.jpg": "YoYo"}
    assert listing.skipped == {"files that are not photos": 2}


def test_a_text_inside_a_class_is_no_list(grow):
    root = grow("YoYo/1.jpg", "Archery/2.jpg")
    (root / "BU101" / "YoYo" / "1.txt").write_text("YoYo/1.jpg YoYo\n")
    assert list(_shown(READER.list(root, "train"))) == ["Archery/2.jpg", "YoYo/1.jpg"]


@pytest.mark.parametrize(
    "spelling", ["HandStandPushups", "handstand_pushups", "Handstand Pushups", "HandstandPushups"]
)
def test_classes_have_the_spelling_of_ucf101(grow, spelling):
    root = grow(f"{spelling}/1.jpg", f"images/{spelling}_2.jpg")
    assert READER.list(root, "train").classes == ("HandstandPushups",)


def test_classes_have_the_order_of_ucf101(grow):
    # The class list has Hammering first, alphabetical order HammerThrow.
    root = grow("HammerThrow/1.jpg", "Hammering/1.jpg")
    listing = READER.list(root, "train")
    assert listing.classes == ("Hammering", "HammerThrow")
    assert [file.label for file in listing.files] == [1, 0]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Biking/YoYo_1.jpg", "Biking"),
        ("Biking/deep/YoYo/1.jpg", "Biking"),
        ("images/Biking_1.jpg", "Biking"),
        ("frames/Biking/1.jpg", None),
        ("frames/Biking_1.jpg", None),
        ("Biking.jpg", None),
        ("Biking_a.jpg", None),
        ("Cycling_1.jpg", None),
    ],
)
def test_the_first_folder_counts_and_else_the_name(path, expected):
    assert class_of(path) == expected


def test_photos_of_another_class_are_named_and_partial_leaves_them_out(grow):
    root = grow("YoYo/1.jpg", "Cycling/1.jpg", "UCF101/YoYo/1.jpg", "montage.jpg")
    with pytest.raises(DataError, match=r"the 4 photos under .* found 1, .*Cycling/1\.jpg: rename"):
        READER.list(root, "train")
    listing = READER.list(root, "train", partial=True)
    assert _shown(listing) == {"YoYo/1.jpg": "YoYo"}
    assert listing.skipped == {"photos of none of UCF101's classes": 3}


def test_other_files_and_dead_links_are_counted(grow):
    root = grow("YoYo/1.jpg", "YoYo/1.txt", "YoYo/.hidden.jpg")
    (root / "BU101" / "YoYo" / "2.jpg").symlink_to("nothing.jpg")
    assert READER.list(root, "train").skipped == {
        "files that are not photos": 1,
        "hidden files and folders": 1,
        "links that lead nowhere": 1,
    }


def test_the_origin_says_how_many_and_what_the_paper_counts(grow):
    listing = READER.list(grow("YoYo/1.jpg", "YoYo/2.jpg"), "train")
    assert not listing.official
    assert listing.origin == (
        "BU101 with 2 training photos in 1 of 101 classes, where the paper counts 23,800: "
        "not the paper's set"
    )


def test_the_papers_count_is_named_as_such(grow, monkeypatch):
    root = grow("YoYo/1.jpg", "Archery/1.jpg")
    monkeypatch.setattr("data.readers.bu101.PAPER_PHOTOS", 2)
    assert not READER.list(root, "train").official
    monkeypatch.setattr("data.readers.bu101.CLASSES", ("Archery", "YoYo"))
    (root / "BU101" / "YoYo" / "2.jpg").touch()
    assert not READER.list(root, "train").official
    (root / "BU101" / "YoYo" / "2.jpg").unlink()
    listing = READER.list(root, "train")
    assert listing.official
    assert listing.origin == "BU101 with 2 training photos, the paper's count"


def test_a_folder_without_photos_is_refused(grow):
    with pytest.raises(DataError, match="expected at least one file, found none"):
        READER.list(grow("YoYo/1.txt"), "train")


def test_there_is_no_test_split():
    with pytest.raises(DataError, match="the only one of BU101, found 'test'"):
        READER.list(Path(), "test")
