from pathlib import Path

import pytest

from data.errors import DataError
from data.readers.ucf101 import CLASSES, Ucf101Reader, read_class_list

READER = Ucf101Reader()
CLASS_LIST = "1 Archery\r\n2 HandstandPushups\r\n3 YoYo\r\n"
TRAIN = (
    "Archery/v_Archery_g08_c01.avi 1",
    "Archery/v_Archery_g08_c02.avi 1",
    "HandstandPushups/v_HandStandPushups_g09_c01.avi 2",
    "YoYo/v_YoYo_g08_c01.avi 3",
)
TEST = (
    "YoYo/v_YoYo_g01_c01.avi",
    "Archery/v_Archery_g01_c01.avi",
    "HandstandPushups/v_HandStandPushups_g02_c01.avi",
)
CLIPS = tuple(line.split()[0] for line in (*TRAIN, *TEST))


@pytest.fixture
def grow(tmp_path):
    """Write UCF101 with some clips and lists; return the root."""

    def write(clips=CLIPS, train=TRAIN, test=TEST, classes=CLASS_LIST, home="UCF101", end="\r\n"):
        base = tmp_path / home
        lists = base / "ucfTrainTestlist"
        lists.mkdir(parents=True)
        (base / "UCF-101").mkdir()
        (lists / "classInd.txt").write_bytes(classes.encode())
        for name, lines in (("trainlist01.txt", train), ("testlist01.txt", test)):
            (lists / name).write_bytes("".join(line + end for line in lines).encode())
        for clip in clips:
            (base / "UCF-101" / clip).parent.mkdir(exist_ok=True)
            (base / "UCF-101" / clip).touch()
        return tmp_path

    return write


def _shown(listing):
    return [(file.path, listing.classes[file.label], file.group) for file in listing.files]


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("home", ["UCF101", "ucf101", "ucf-101", "."])
def test_a_split_has_the_clips_of_its_list_in_its_order(grow, home, end):
    root = grow(home=home, end=end)
    listing = READER.list(root, "train")
    assert listing.root == root / home / "UCF-101"
    assert listing.classes == ("Archery", "HandstandPushups", "YoYo")
    assert _shown(listing) == [
        ("Archery/v_Archery_g08_c01.avi", "Archery", "Archery_g08"),
        ("Archery/v_Archery_g08_c02.avi", "Archery", "Archery_g08"),
        (
            "HandstandPushups/v_HandStandPushups_g09_c01.avi",
            "HandstandPushups",
            "HandstandPushups_g09",
        ),
        ("YoYo/v_YoYo_g08_c01.avi", "YoYo", "YoYo_g08"),
    ]
    assert [file.label for file in READER.list(root, "test").files] == [2, 0, 1]
    assert listing.skipped == {}


def test_equal_numbers_in_two_classes_are_two_recordings(grow):
    groups = {file.group for file in READER.list(grow(), "train").files}
    assert {"Archery_g08", "YoYo_g08"} <= groups


def test_no_recording_is_on_both_sides(grow):
    root = grow()
    sides = [{file.group for file in READER.list(root, side).files} for side in ("train", "test")]
    assert not sides[0] & sides[1]


@pytest.mark.parametrize(
    "renamed",
    [
        "HandStandPushups/v_HandStandPushups_g09_c01.avi",
        "HandstandPushups/v_HandstandPushups_g09_c01.avi",
        "handstandpushups/V_HandStandPushups_G09_C01.AVI",
    ],
)
def test_the_handstand_is_found_whatever_its_case(grow, renamed):
    clips = [renamed if "g09" in clip else clip for clip in CLIPS]
    listing = READER.list(grow(clips), "train")
    assert (renamed, "HandstandPushups", "HandstandPushups_g09") in _shown(listing)


@pytest.mark.parametrize("spelling", ["HandStandPushups", "Handstand_Pushups"])
def test_the_class_list_may_spell_the_handstand_as_the_files_do(grow, spelling):
    root = grow(classes=CLASS_LIST.replace("HandstandPushups", spelling))
    assert READER.list(root, "train").classes == ("Archery", "HandstandPushups", "YoYo")


def test_absent_clips_are_counted_and_going_on_is_offered(grow):
    root = grow(CLIPS[1:])
    with pytest.raises(DataError) as caught:
        READER.list(root, "train")
    assert str(caught.value) == (
        f"Expected 4 clips of trainlist01.txt under {root / 'UCF101' / 'UCF-101'}, found 3, the "
        "first missing one is Archery/v_Archery_g08_c01.avi: add them, or continue anyway "
        "(partial = true, or --partial)."
    )
    assert len(READER.list(root, "test").files) == 3


def test_partial_goes_on_with_what_is_there(grow):
    listing = READER.list(grow(CLIPS[1:]), "train", partial=True)
    assert len(listing.files) == 3
    assert listing.skipped == {"named in trainlist01.txt but missing": 1}
    assert listing.origin == (
        "UCF101 split 1 with 3 of the official 9,537 training clips, 3 of 101 classes: "
        "not the official split"
    )


def test_a_partial_set_has_the_classes_of_either_split_in_both(grow):
    # YoYo has only a training clip, the handstand only a test clip, Archery nothing.
    root = grow([CLIPS[3], CLIPS[6]])
    train, test = (READER.list(root, side, partial=True) for side in ("train", "test"))
    assert train.classes == test.classes == ("HandstandPushups", "YoYo")
    assert [file.label for file in train.files] == [1]
    assert [file.label for file in test.files] == [0]


@pytest.mark.parametrize("clips", [(), ("Archery/v_Archery_g01_c01.avi",)])
def test_a_split_without_any_clip_is_refused(grow, clips):
    with pytest.raises(DataError, match="expected at least one file, found none"):
        READER.list(grow(clips), "train", partial=True)


def test_files_that_no_list_names_are_counted(grow):
    extra = ("Archery/v_Archery_g99_c01.avi", "Archery/notes.txt", "handstandpushups/x.avi")
    assert READER.list(grow((*CLIPS, *extra)), "test").skipped == {"in no list of split 1": 3}


def test_a_clip_that_lies_there_in_two_cases_is_taken_once(grow):
    root = grow((*CLIPS, "yoyo/v_YoYo_g08_c01.avi"))
    listing = READER.list(root, "train")
    assert [path for path, name, _ in _shown(listing) if name == "YoYo"] == [CLIPS[3]]
    assert listing.skipped == {"in no list of split 1": 1}


def test_the_official_counts_and_classes_are_official(grow, monkeypatch):
    root = grow()
    monkeypatch.setattr("data.readers.ucf101.OFFICIAL_COUNTS", {"train": 4, "test": 4})
    assert not READER.list(root, "train").official
    monkeypatch.setattr("data.readers.ucf101.CLASSES", ("Archery", "HandstandPushups", "YoYo"))
    listing = READER.list(root, "train")
    assert listing.official
    assert listing.origin == "UCF101 split 1 with 4 training clips, the official count"
    assert not READER.list(root, "test").official


def test_the_official_classes_are_101_different_ones():
    assert len(set(CLASSES)) == 101
    assert "HandstandPushups" in CLASSES


def test_a_recording_on_both_sides_is_refused(grow):
    root = grow(test=(*TEST, "YoYo/v_YoYo_g08_c07.avi"))
    for side in ("train", "test"):
        with pytest.raises(DataError, match=r"no recording in both .*found YoYo_g08 in both"):
            READER.list(root, side, partial=True)


@pytest.mark.parametrize(
    "line",
    [
        "Archery/v_Archery_g08_c01.mp4 1",
        "Archery/v_Archery_c01.avi 1",
        "Archery/v_YoYo_g08_c01.avi 1",
        "v_Archery_g08_c01.avi 1",
        "Archery/v_Archery_g08_c09.avi one",
        "deep/Archery/v_Archery_g08_c09.avi 1",
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_its_number(grow, line):
    root = grow(train=(TRAIN[0], "", line))
    with pytest.raises(DataError, match=r"trainlist01\.txt, line 3: expected '<Class>/v_"):
        READER.list(root, "train", partial=True)


def test_a_damaged_list_of_the_other_split_is_noticed_too(grow):
    with pytest.raises(DataError, match=r"testlist01\.txt, line 1: expected '<Class>/v_"):
        READER.list(grow(test=("rubbish",)), "train")


def test_a_class_that_the_class_list_lacks_is_named(grow):
    root = grow(train=("Rowing/v_Rowing_g08_c01.avi 4",))
    with pytest.raises(DataError, match=r"line 1: expected a class of classInd\.txt, found Rowing"):
        READER.list(root, "train")


def test_a_number_of_another_class_is_named(grow):
    root = grow(train=("YoYo/v_YoYo_g08_c01.avi 2",))
    with pytest.raises(DataError, match=r"line 1: expected 3, the number of YoYo .*, found 2"):
        READER.list(root, "train")


def test_a_clip_that_is_named_twice_is_refused(grow):
    root = grow(train=(*TRAIN, TRAIN[1].replace("v_A", "v_a")))
    with pytest.raises(DataError, match=r"line 5: expected every clip once, found .*g08_c02"):
        READER.list(root, "train")


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("1 Archery\n3 YoYo\n", 2),
        ("0 Archery\n", 1),
        ("1 Archery\n\n2 archery\n", 3),
        ("1 Juggling\n2 juggling\n", 2),
        ("Archery 1\n", 1),
    ],
)
def test_a_wrong_line_of_the_class_list_is_named(tmp_path, body, line):
    path = tmp_path / "classInd.txt"
    path.write_text(body)
    with pytest.raises(DataError, match=rf"classInd\.txt, line {line}: expected '\d <a new class>"):
        read_class_list(path)


def test_missing_folders_and_lists_are_one_line(grow, tmp_path):
    with pytest.raises(DataError, match=r"Expected UCF101's folder UCF-101 in .*found neither"):
        READER.list(tmp_path, "train")
    root = grow()
    (root / "UCF101" / "ucfTrainTestlist" / "testlist01.txt").unlink()
    with pytest.raises(DataError, match=r"Expected a list in UTF-8 at .*testlist01\.txt"):
        READER.list(root, "train")


def test_an_unknown_split_is_refused():
    with pytest.raises(DataError, match="one of train, test, found 'val'"):
        READER.list(Path(), "val")
