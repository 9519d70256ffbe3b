import numpy as np
import pytest
import scipy.io

from data.errors import DataError
from data.readers.mpii import ANNOTATIONS, MpiiReader, read_training

READER = MpiiReader()
# Name, training, category, activity and its number, as in MPII: two numbers for one activity, an
# image without a label, and one of the test split.
ROWS = (
    ("3.jpg", 1, "sports", "curling", 1),
    ("1.jpg", 1, "dancing", "ballet, modern", 7),
    ("9.jpg", 1, "", "", -1),
    ("5.jpg", 0, "sports", "curling", 1),
    ("4.jpg", 1, "sports", "curling", 22),
    ("6.jpg", 0, "", "", -1),
)
LABELLED = ("3.jpg", "1.jpg", "4.jpg")


def _struct(shape, **fields):
    """A MATLAB structure array of the given shape."""
    array = np.empty(shape, [(name, object) for name in fields])
    for name, values in fields.items():
        for place, value in zip(np.ndindex(shape), values, strict=True):
            array[name][place] = value
    return array


def _release(rows):
    """MPII's RELEASE: `annolist` and `img_train` are rows, `act` is a column."""
    names, training, categories, activities, numbers = zip(*rows, strict=True)
    count = len(rows)
    return {
        "annolist": _struct((1, count), image=[_struct((1, 1), name=[name]) for name in names]),
        "img_train": np.array([training], np.uint8),
        "act": _struct((count, 1), cat_name=categories, act_name=activities, act_id=numbers),
    }


def _save(path, release):
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"RELEASE": release})


@pytest.fixture
def grow(tmp_path):
    """Write MPII with some images; return the root."""

    def write(images=LABELLED, rows=ROWS, folder="MPII/images", annotations="MPII"):
        _save(tmp_path / annotations / ANNOTATIONS, _release(rows))
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for image in images:
            (tmp_path / folder / image).touch()
        return tmp_path

    return write


def _shown(listing):
    return [(file.path, listing.classes[file.label], file.group) for file in listing.files]


def test_the_made_file_has_the_shapes_of_the_real_one(grow):
    release = scipy.io.loadmat(grow() / "MPII" / ANNOTATIONS)["RELEASE"]
    assert release.shape == (1, 1)
    inner = release[0, 0]
    assert inner["annolist"].shape == inner["img_train"].shape == (1, 6)
    assert inner["act"].shape == (6, 1)
    assert inner["act"].dtype.names == ("cat_name", "act_name", "act_id")
    assert inner["annolist"][0, 0]["image"][0, 0]["name"].item() == "3.jpg"
    unlabelled = inner["act"][2, 0]
    assert unlabelled["act_id"].item() == -1
    assert unlabelled["act_name"].size == unlabelled["cat_name"].size == 0


def test_labelled_training_photos_in_the_order_of_the_annotations(grow):
    listing = READER.list(grow(), "train")
    assert listing.classes == ("ballet, modern", "curling")
    assert _shown(listing) == [
        ("3.jpg", "curling", "3.jpg"),
        ("1.jpg", "ballet, modern", "1.jpg"),
        ("4.jpg", "curling", "4.jpg"),
    ]
    assert listing.skipped == {"training photos without a label": 1}
    assert listing.origin == (
        "MPII Human Pose with 3 labelled training photos of 2 activities, where the paper counts "
        "28,821 of 410: not the paper's set"
    )
    assert not listing.official


def test_a_single_image_is_read_as_well(grow):
    assert _shown(READER.list(grow(rows=ROWS[:1]), "train")) == [("3.jpg", "curling", "3.jpg")]


@pytest.mark.parametrize(
    ("folder", "annotations"),
    [
        ("images", "."),
        ("images", "mpii_human_pose_v1_u12_2"),
        ("mpii/images", "mpii/annot"),
        ("MPII/images", "MPII/mpii_human_pose_v1_u12_2"),
        ("MPII/mpii_human_pose_v1/images", "MPII/mpii_human_pose_v1_u12_2"),
        ("mpii_human_pose_v1/images", "mpii_human_pose_v1_u12_2"),
    ],
)
def test_archives_may_be_unpacked_as_they_are(grow, folder, annotations):
    root = grow(folder=folder, annotations=annotations)
    (root / "BU101" / "images").mkdir(parents=True)
    listing = READER.list(root, "train")
    assert listing.root == root / folder
    assert len(listing.files) == 3


def test_a_suffix_in_another_case_is_the_same_photo(grow):
    assert READER.list(grow(("3.JPG", *LABELLED[1:])), "train").files[0].path == "3.JPG"


def test_missing_images_are_counted_and_going_on_is_offered(grow):
    with pytest.raises(DataError) as caught:
        READER.list(grow(LABELLED[1:]), "train")
    assert "Expected 3 photos of mpii_human_pose_v1_u12_1.mat under" in str(caught.value)
    assert "found 2, the first missing one is 3.jpg: add them, or continue" in str(caught.value)


def test_partial_skips_and_counts_missing_images_and_classes_without_any(grow):
    listing = READER.list(grow(["4.jpg", "3.jpg"]), "train", partial=True)
    assert _shown(listing) == [("3.jpg", "curling", "3.jpg"), ("4.jpg", "curling", "4.jpg")]
    assert listing.classes == ("curling",)
    assert listing.skipped == {
        "training photos without a label": 1,
        f"named in {ANNOTATIONS} but missing": 1,
    }
    assert listing.origin.startswith("MPII Human Pose with 2 of 3 labelled training photos of 1 ")


def test_images_of_the_test_split_and_without_a_label_are_never_used(grow):
    listing = READER.list(grow((*LABELLED, "5.jpg", "6.jpg", "9.jpg")), "train")
    assert sorted(file.path for file in listing.files) == sorted(LABELLED)


def test_the_papers_counts_are_named_as_such(grow, monkeypatch):
    monkeypatch.setattr("data.readers.mpii.PAPER_PHOTOS", 3)
    assert not READER.list(grow(), "train").official
    monkeypatch.setattr("data.readers.mpii.PAPER_ACTIVITIES", 2)
    listing = READER.list(grow(), "train")
    assert listing.official
    assert listing.origin == (
        "MPII Human Pose with 3 labelled training photos of 2 activities, the paper's count"
    )


def test_there_is_no_test_split(grow):
    with pytest.raises(DataError, match="the only one of MPII, found 'test'"):
        READER.list(grow(), "test")


@pytest.mark.parametrize("absent", ["annotations", "images"])
def test_what_is_missing_is_named(grow, absent):
    root = grow(())
    if absent == "images":
        (root / "MPII" / "images").rmdir()
    else:
        (root / "MPII" / ANNOTATIONS).unlink()
    wanted = {"annotations": ANNOTATIONS, "images": "images"}[absent]
    with pytest.raises(DataError, match=f"Expected MPII's {wanted} in .*, found none: give"):
        READER.list(root, "train")


@pytest.mark.parametrize("field", ["annolist", "img_train", "act"])
def test_a_release_without_a_part_is_refused(tmp_path, field):
    release = _release(ROWS)
    del release[field]
    _save(tmp_path / ANNOTATIONS, release)
    with pytest.raises(DataError, match=f"Expected MPII's RELEASE .*{field}"):
        read_training(tmp_path / ANNOTATIONS)


@pytest.mark.parametrize("field", ["annolist", "img_train", "act"])
def test_parts_of_unequal_length_are_refused(tmp_path, field):
    release = _release(ROWS)
    release[field] = np.concatenate([release[field].reshape(-1)] * 2)[:-1]
    _save(tmp_path / ANNOTATIONS, release)
    with pytest.raises(DataError, match=r"Expected MPII's RELEASE .*(shorter|longer)"):
        read_training(tmp_path / ANNOTATIONS)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_one_line(grow, share):
    path = grow() / "MPII" / ANNOTATIONS
    body = path.read_bytes()
    path.write_bytes(body[: int(len(body) * share)])
    with pytest.raises(DataError) as caught:
        read_training(path)
    assert ANNOTATIONS in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_mat_file_is_refused(tmp_path):
    scipy.io.savemat(tmp_path / ANNOTATIONS, {"X": np.zeros(3)})
    with pytest.raises(DataError, match="Expected MPII's RELEASE with annolist, img_train and act"):
        read_training(tmp_path / ANNOTATIONS)
