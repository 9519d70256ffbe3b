from collections import Counter
from dataclasses import replace

import pytest

from data.embedded import people_readers as figure_readers
from data.embedded.people_readers import FIGURE_CLIPS, FIGURE_PHOTOS, GROUPS, SPORT_PHOTOS
from data.errors import DataError
from data.images.crop import read_photo

READERS = (FIGURE_CLIPS, FIGURE_PHOTOS, SPORT_PHOTOS)
SPORTS = ("Bowing", "Cycling", "Golf", "Lying", "Rowing", "Sitting", "Throwing", "YogaTree")
EXERCISES = ("JumpingJacks", "Kicks", "Lunges", "PullUps", "PushUps", "Squats")


@pytest.fixture
def few(monkeypatch):
    """Two clips per class in each split, three photos per class."""
    monkeypatch.setattr(figure_readers, "GROUPS", {"test": (1,), "train": (5, 6)})
    monkeypatch.setattr(figure_readers, "CLIPS_PER_GROUP", {"test": 2, "train": 1})
    monkeypatch.setattr(figure_readers, "PHOTOS_PER_CLASS", 3)


@pytest.fixture
def undrawn(monkeypatch):
    """Write empty files, so that whole splits take no time."""
    monkeypatch.setattr(figure_readers, "draw_clip", lambda *_: (None, None))
    monkeypatch.setattr(figure_readers, "encode", lambda frames, rate, path: path.touch())
    monkeypatch.setattr(figure_readers, "save_photo", lambda photo, path: path.touch())


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_classes_are_known_before_anything_is_drawn():
    assert FIGURE_CLIPS.classes == FIGURE_PHOTOS.classes == EXERCISES
    assert SPORT_PHOTOS.classes == SPORTS
    assert [reader.name for reader in READERS] == ["figure_clips", "figure_photos", "sport_photos"]
    assert [reader.media for reader in READERS] == ["clips", "photos", "photos"]
    assert all(reader.embedded and reader.version >= 1 for reader in READERS)


@pytest.mark.usefixtures("undrawn")
def test_a_split_of_clips_has_its_groups_and_clips_in_every_class(tmp_path):
    groups = {}
    for split, (groups_a_class, clips_a_group) in {"train": (8, 3), "test": (4, 2)}.items():
        FIGURE_CLIPS.make(tmp_path, split)
        files = FIGURE_CLIPS.list(tmp_path, split).files
        assert set(Counter(file.group for file in files).values()) == {clips_a_group}
        counts = Counter(file.label for file in files)
        assert counts == dict.fromkeys(range(6), groups_a_class * clips_a_group)
        groups[split] = {file.group for file in files}
    assert not groups["train"] & groups["test"]
    assert not set(GROUPS["train"]) & set(GROUPS["test"])


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("reader", [FIGURE_PHOTOS, SPORT_PHOTOS], ids=lambda reader: reader.name)
def test_photos_are_sixty_a_class_and_each_is_a_group_of_its_own(reader, tmp_path):
    replace(reader, draw=lambda label, number: None).make(tmp_path, "train")
    files = reader.list(tmp_path, "train").files
    assert Counter(file.label for file in files) == dict.fromkeys(range(len(reader.classes)), 60)
    assert len({file.group for file in files}) == len(files)


@pytest.mark.usefixtures("few", "undrawn")
def test_clips_lie_as_in_ucf101_with_their_class_and_group(tmp_path):
    FIGURE_CLIPS.make(tmp_path, "train")
    listing = FIGURE_CLIPS.list(tmp_path, "train")
    assert [(file.path, file.label, file.group) for file in listing.files[1:4]] == [
        ("JumpingJacks/v_JumpingJacks_g06_c01.avi", 0, "JumpingJacks_g06"),
        ("Kicks/v_Kicks_g05_c01.avi", 1, "Kicks_g05"),
        ("Kicks/v_Kicks_g06_c01.avi", 1, "Kicks_g06"),
    ]
    assert listing.root == tmp_path
    assert listing.origin == "12 drawn clips (our training split), 6 classes"
    assert not listing.official
    assert listing.skipped == {}


@pytest.mark.usefixtures("few")
def test_photos_lie_in_a_folder_for_each_class(tmp_path):
    SPORT_PHOTOS.make(tmp_path, "train")
    listing = SPORT_PHOTOS.list(tmp_path, "train")
    assert [(file.path, file.label) for file in listing.files[2:4]] == [
        ("Bowing/Bowing_03.jpg", 0),
        ("Cycling/Cycling_01.jpg", 1),
    ]
    assert listing.origin == "24 drawn photos, 8 classes"
    for file in listing.files:
        assert read_photo(tmp_path / file.path, 32).shape == (32, 32, 3)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_made_twice_the_files_are_the_same_bytes_and_no_two_are_equal(reader, tmp_path):
    for folder in ("one", "two"):
        reader.make(tmp_path / folder, "train")
    one = files_of(tmp_path / "one")
    assert one == files_of(tmp_path / "two")
    assert len(set(one.values())) == len(one) == len(reader.list(tmp_path / "one", "train").files)


@pytest.mark.usefixtures("few", "undrawn")
def test_both_splits_of_clips_can_share_a_folder(tmp_path):
    for split in ("train", "test"):
        FIGURE_CLIPS.make(tmp_path, split)
    listings = [FIGURE_CLIPS.list(tmp_path, split).files for split in ("train", "test")]
    paths = [{file.path for file in files} for files in listings]
    assert paths[0] | paths[1] == set(files_of(tmp_path))
    assert not paths[0] & paths[1]


@pytest.mark.usefixtures("few", "undrawn")
def test_a_missing_clip_is_named_and_left_out_only_when_asked_to(tmp_path):
    FIGURE_CLIPS.make(tmp_path, "train")
    (tmp_path / "Kicks/v_Kicks_g05_c01.avi").unlink()
    with pytest.raises(DataError, match=r"Expected 12 clips of figure_clips .*found 11.*Kicks_g05"):
        FIGURE_CLIPS.list(tmp_path, "train")
    listing = FIGURE_CLIPS.list(tmp_path, "train", partial=True)
    assert len(listing.files) == 11
    assert listing.skipped == {"drawn but missing": 1}


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_an_unknown_split_is_refused(reader, tmp_path):
    for call in (reader.make, reader.list):
        with pytest.raises(DataError, match="found 'validation'"):
            call(tmp_path, "validation")


@pytest.mark.parametrize("reader", [FIGURE_PHOTOS, SPORT_PHOTOS], ids=lambda reader: reader.name)
def test_photos_have_no_test_split(reader, tmp_path):
    for call in (reader.make, reader.list):
        with pytest.raises(DataError, match=f"only one of {reader.name}, found 'test'"):
            call(tmp_path, "test")
    assert not files_of(tmp_path)
