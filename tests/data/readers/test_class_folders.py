import unicodedata

import pytest

from data.errors import DataError
from data.readers.class_folders import CLIP_FOLDERS, PHOTO_FOLDERS
from data.suffixes import PHOTO_SUFFIXES


@pytest.fixture
def grow(tmp_path):
    """Write empty files; return the root."""

    def write(*paths):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        return tmp_path

    return write


def _shown(listing):
    return {file.path: listing.classes[file.label] for file in listing.files}


def test_a_folder_for_each_class_is_the_split_train(grow):
    root = grow("walk/b.jpg", "run/1.PNG", "walk/deep/er/a.jpg", "Jump high/x.jpeg")
    listing = PHOTO_FOLDERS.list(root, "train")
    assert listing.root == root
    assert listing.classes == ("Jump high", "run", "walk")
    assert list(_shown(listing).items()) == [
        ("Jump high/x.jpeg", "Jump high"),
        ("run/1.PNG", "run"),
        ("walk/b.jpg", "walk"),
        ("walk/deep/er/a.jpg", "walk"),
    ]
    assert [file.group for file in listing.files] == [file.path for file in listing.files]
    assert listing.skipped == {}
    assert not listing.official
    assert listing.origin == ("4 training photos in folders of 3 classes: no published data set")


@pytest.mark.parametrize("folders", [("train", "test"), ("Train", "TEST")])
def test_folders_train_and_test_are_the_splits(grow, folders):
    train, test = folders
    root = grow(
        f"{train}/run/1.avi", f"{train}/walk/1.mp4", f"{test}/walk/1.MOV", f"{test}/run/1.mkv"
    )
    assert _shown(CLIP_FOLDERS.list(root, "train")) == {
        f"{train}/run/1.avi": "run",
        f"{train}/walk/1.mp4": "walk",
    }
    listing = CLIP_FOLDERS.list(root, "test")
    assert list(_shown(listing)) == [f"{test}/run/1.mkv", f"{test}/walk/1.MOV"]
    assert listing.origin == "2 test clips in folders of 2 classes: no published data set"


def test_a_kind_takes_its_own_files_alone(grow):
    root = grow("run/1.jpg", "run/1.avi", "run/1.txt", "walk/2.avi")
    assert list(_shown(PHOTO_FOLDERS.list(root, "train"))) == ["run/1.jpg"]
    assert list(_shown(CLIP_FOLDERS.list(root, "train"))) == ["run/1.avi", "walk/2.avi"]


def test_what_is_not_used_is_counted(grow):
    root = grow(
        "run/1.jpg", "run/1.json", "run/.hidden.jpg", "loose.jpg", "read me.txt", "bare/x.txt"
    )
    (root / "empty").mkdir()
    (root / "run" / "gone.jpg").symlink_to("nothing.jpg")
    listing = PHOTO_FOLDERS.list(root, "train")
    assert listing.classes == ("run",)
    assert listing.skipped == {
        "files that are not photos": 2,
        "files outside the class folders": 2,
        "class folders without photos": 2,
        "hidden files and folders": 1,
        "links that lead nowhere": 1,
    }


def test_what_is_not_used_is_counted_by_split(grow):
    root = grow("train/run/1.jpg", "test/run/1.jpg", "test/run/1.txt", "test/loose.jpg", "top.jpg")
    (root / "test" / "empty").mkdir()
    assert PHOTO_FOLDERS.list(root, "train").skipped == {
        "files outside the folders of the splits": 1
    }
    assert PHOTO_FOLDERS.list(root, "test").skipped == {
        "files that are not photos": 1,
        "files outside the class folders": 1,
        "files outside the folders of the splits": 1,
        "class folders without photos": 1,
    }


def test_a_class_may_be_a_link_to_a_folder(grow):
    root = grow("far/1.jpg", "root/run/1.jpg")
    (root / "root" / "walk").symlink_to(root / "far")
    assert list(_shown(PHOTO_FOLDERS.list(root / "root", "train"))) == ["run/1.jpg", "walk/1.jpg"]


def test_clips_of_one_recording_are_one_group(grow):
    root = grow(
        "run/v_run_g08_c01.avi", "run/x/v_run_g08_c02.avi", "run/g08.avi", "walk/v_g08_1.avi"
    )
    groups = {file.path: file.group for file in CLIP_FOLDERS.list(root, "train").files}
    assert groups == {
        "run/v_run_g08_c01.avi": "run_g08",
        "run/x/v_run_g08_c02.avi": "run_g08",
        "run/g08.avi": "run/g08.avi",
        "walk/v_g08_1.avi": "walk_g08",
    }


def test_photos_are_groups_of_their_own_whatever_their_names(grow):
    root = grow("train/run/v_g01_1.jpg", "test/run/v_g01_2.jpg")
    assert PHOTO_FOLDERS.list(root, "train").files[0].group == "train/run/v_g01_1.jpg"


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_recording_on_both_sides_is_refused(grow, split, partial):
    root = grow("train/run/a_g01_c01.avi", "train/run/a_g02_c01.avi", "test/run/a_g02_c02.avi")
    with pytest.raises(DataError, match=r"no recording in both train and test .*found run_g02"):
        CLIP_FOLDERS.list(root, split, partial=partial)


def test_clips_without_a_recording_may_have_the_same_name_on_both_sides(grow):
    root = grow("train/run/1.avi", "test/run/1.avi")
    sides = [CLIP_FOLDERS.list(root, side).files[0].group for side in ("train", "test")]
    assert sides == ["train/run/1.avi", "test/run/1.avi"]


def test_a_class_on_one_side_alone_is_refused_and_partial_goes_on(grow):
    root = grow("train/run/1.jpg", "train/walk/1.jpg", "test/walk/1.jpg", "test/run/1.txt")
    with pytest.raises(DataError, match=r"the same classes .*found run in only one: .*--partial"):
        PHOTO_FOLDERS.list(root, "train")
    train, test = (PHOTO_FOLDERS.list(root, side, partial=True) for side in ("train", "test"))
    assert train.classes == test.classes == ("run", "walk")
    assert [file.label for file in test.files] == [1]


@pytest.mark.parametrize("paths", [("run/1.jpg", "walk/1.jpg"), ("train/run/1.jpg",)])
def test_without_a_folder_test_there_is_no_test_split(grow, paths):
    root = grow(*paths)
    assert len(PHOTO_FOLDERS.list(root, "train").files) == len(paths)
    with pytest.raises(DataError, match=r"Expected the folders train and test in .*found no test"):
        PHOTO_FOLDERS.list(root, "test")


def test_a_folder_test_alone_is_no_class(grow):
    root = grow("test/run/1.jpg")
    assert _shown(PHOTO_FOLDERS.list(root, "test")) == {"test/run/1.jpg": "run"}
    with pytest.raises(DataError, match="found no train"):
        PHOTO_FOLDERS.list(root, "train")


@pytest.mark.parametrize(
    "others", [("train", "val"), ("train", "test", "Validation"), ("test", "valid")]
)
def test_other_splits_are_not_taken_for_classes(grow, others):
    root = grow(*(f"{folder}/run/1.jpg" for folder in others))
    with pytest.raises(DataError, match=f"only the folders .*found also {others[-1]}: move"):
        PHOTO_FOLDERS.list(root, "train")


def test_a_class_beside_both_splits_is_refused(grow):
    with pytest.raises(DataError, match="found also walk"):
        PHOTO_FOLDERS.list(grow("train/run/1.jpg", "test/run/1.jpg", "walk/1.jpg"), "train")


def test_trains_may_be_a_class(grow):
    listing = PHOTO_FOLDERS.list(grow("train/1.jpg", "plane/1.jpg"), "train")
    assert listing.classes == ("plane", "train")


@pytest.mark.parametrize("paths", [("1.jpg",), ("run/1.avi",), ("train/1.jpg", "test/run/1.jpg")])
def test_no_file_of_the_kind_in_a_class_folder_is_refused(grow, paths):
    with pytest.raises(DataError, match=r"Expected photos under .* found none: check the path"):
        PHOTO_FOLDERS.list(grow(*paths), "train")


def test_a_missing_folder_and_an_unknown_split_are_one_line(tmp_path):
    with pytest.raises(DataError, match="Expected a readable folder"):
        PHOTO_FOLDERS.list(tmp_path / "none", "train")
    with pytest.raises(DataError, match="one of train, test, found 'val'"):
        PHOTO_FOLDERS.list(tmp_path, "val")


CAFE = unicodedata.normalize("NFC", "caf\u00e9")
APART = unicodedata.normalize("NFD", CAFE)


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(
    ("here", "there", "name"),
    [(CAFE, APART, CAFE), (APART, CAFE, CAFE), (APART, APART, CAFE), ("Tea", "TEA", "Tea")],
)
def test_one_name_in_two_spellings_is_one_class(grow, here, there, name, split, partial):
    root = grow(f"train/{here}/1.jpg", f"test/{there}/2.jpg", "train/pie/1.jpg", "test/pie/1.jpg")
    listing = PHOTO_FOLDERS.list(root, split, partial=partial)
    assert listing.classes == tuple(sorted((name, "pie")))
    assert sorted(_shown(listing).values()) == sorted((name, "pie"))


def test_files_keep_the_spelling_of_the_disk(grow):
    root = grow(f"train/{APART}/1.jpg", f"test/{CAFE}/1.jpg")
    assert (root / PHOTO_FOLDERS.list(root, "train").files[0].path).is_file()


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("Tea", "tea"), "'Tea' and 'tea': merge"),
        ((CAFE, APART), r"'cafe\\u0301' and 'caf\\xe9' \(two Unicode forms of 'café'\): merge"),
        (("STRASSE", "straße"), "'STRASSE' and 'straße': merge"),
    ],
)
def test_two_class_folders_of_one_name_are_refused_with_both_spellings(grow, names, shown, partial):
    root = grow(*(f"{name}/1.jpg" for name in names))
    with pytest.raises(DataError, match=f"differ in more than case .* train of .*found {shown}"):
        PHOTO_FOLDERS.list(root, "train", partial=partial)


def test_recordings_of_a_class_in_two_spellings_are_compared_too(grow):
    root = grow("train/Run/v_g01_1.avi", "test/run/v_g01_2.avi")
    with pytest.raises(DataError, match=r"no recording in both train and test .*found Run_g01"):
        CLIP_FOLDERS.list(root, "train")


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        ("walk/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", "thumbnails and folders of network drives"),
        ("@eaDir/walk/1.jpg", "thumbnails and folders of network drives"),
        ("@__thumb/1.jpg", "thumbnails and folders of network drives"),
        ("#snapshot/x/1.jpg", "thumbnails and folders of network drives"),
        ("#recycle/1.jpg", "recycle bins"),
        ("$RECYCLE.BIN/1.jpg", "recycle bins"),
        (".Trash-1000/files/1.jpg", "recycle bins"),
        ("walk/._1.jpg", "resource forks of macOS"),
        ("__MACOSX/walk/1.jpg", "resource forks of macOS"),
        ("lost+found/1.jpg", "folders of file systems and programs"),
        ("System Volume Information/1.jpg", "folders of file systems and programs"),
        ("walk/.ipynb_checkpoints/1.jpg", "folders of file systems and programs"),
        ("walk/Thumbs.db", "thumbnails and settings of desktops"),
        ("walk/thumbnails/1.jpg", "thumbnails and settings of desktops"),
        (".git/1.jpg", "hidden files and folders"),
    ],
)
def test_what_systems_leave_is_no_photo_and_no_class_and_counted(grow, left, reason):
    listing = PHOTO_FOLDERS.list(grow("walk/1.jpg", "run/1.jpg", left), "train")
    assert _shown(listing) == {"run/1.jpg": "run", "walk/1.jpg": "walk"}
    assert listing.skipped == {reason: 1}


def test_photos_of_a_format_that_is_not_read_are_counted_and_named(grow):
    root = grow("walk/1.jpg", "walk/2.HEIC", "walk/3.cr2")
    assert PHOTO_FOLDERS.list(root, "train").skipped == {"photos in an unsupported format": 2}
    (root / "walk" / "1.jpg").unlink()
    with pytest.raises(DataError, match=r"none but 2 in unsupported formats \(.cr2, .heic\)"):
        PHOTO_FOLDERS.list(root, "train")


@pytest.mark.parametrize("suffix", sorted(PHOTO_SUFFIXES))
def test_every_suffix_of_a_photo_is_taken(grow, suffix):
    root = grow(f"walk/1{suffix}", f"run/1{suffix.upper()}")
    assert len(PHOTO_FOLDERS.list(root, "train").files) == 2


def test_folders_that_look_like_splits_are_taken_for_them_where_that_is_said(grow):
    root = grow(*(f"{side}/{name}/1.jpg" for side in ("Training", "dev", "Testing")
                  for name in ("cat", "dog")))  # fmt: skip
    with pytest.raises(DataError, match=r"found Testing, Training, dev: rename .*or continue"):
        PHOTO_FOLDERS.list(root, "train")
    train, test = (PHOTO_FOLDERS.list(root, side, partial=True) for side in ("train", "test"))
    assert train.classes == test.classes == ("cat", "dog")
    assert [file.path for file in train.files] == ["Training/cat/1.jpg", "Training/dog/1.jpg"]
    assert [file.path for file in test.files] == ["Testing/cat/1.jpg", "Testing/dog/1.jpg"]
    assert train.skipped == {"files outside the folders of the splits": 2}


def test_splits_in_folders_of_their_own_name_are_found(grow):
    root = grow("seg_train/seg_train/sea/1.jpg", "seg_test/seg_test/sea/1.jpg")
    listing = PHOTO_FOLDERS.list(root, "test", partial=True)
    assert _shown(listing) == {"seg_test/seg_test/sea/1.jpg": "sea"}
