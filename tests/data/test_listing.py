from pathlib import Path

import pytest

from data.errors import DataError
from data.listing import UNLABELLED, File, Listing, check_groups, check_train


def _listing(*files: File, classes: tuple[str, ...] = ("a", "b")) -> Listing:
    return Listing(root=Path("place"), files=files, classes=classes, origin="x", official=False)


def _file(path: str, label: int = 0) -> File:
    return File(path=path, label=label, group=path)


def test_files_with_a_class_each_belong_together():
    listing = _listing(_file("one", 0), _file("two", 1))
    assert [file.path for file in listing.files] == ["one", "two"]
    assert listing.skipped == {}


def test_no_file_is_refused():
    with pytest.raises(DataError, match="place: expected at least one file, found none"):
        _listing()


def test_a_path_that_stands_twice_is_named():
    with pytest.raises(DataError, match="expected every file once, found one twice"):
        _listing(_file("one"), _file("two"), _file("one", 1))


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_without_a_class_is_named_with_its_file(label):
    with pytest.raises(DataError, match=rf"expected labels in 0\.\.1, found {label} for two"):
        _listing(_file("one"), _file("two", label))


def test_a_source_has_the_split_train_alone():
    check_train("train", "MPII")
    with pytest.raises(DataError, match="the only one of MPII, found 'test': use MPII as a source"):
        check_train("test", "MPII")
    with pytest.raises(DataError, match="one of train, test, found 'val'"):
        check_train("val", "MPII")


def test_without_classes_no_file_has_a_label():
    nobody = _listing(_file("one", UNLABELLED), classes=())
    assert nobody.class_of(nobody.files[0]) is None
    assert _listing(_file("one", 1)).class_of(_file("one", 1)) == "b"
    with pytest.raises(DataError, match="found 0 for one"):
        _listing(_file("one", 0), classes=())


def test_recordings_on_both_sides_are_found_also_between_folders():
    def side(root, *groups):
        files = tuple(File(path=f"{group}.avi", label=0, group=group) for group in groups)
        return Listing(root=Path(root), files=files, classes=("a",), origin="x", official=False)

    check_groups(side("one", "g1"), side("two", "g2"))
    with pytest.raises(DataError, match="no recording in both train and test of two, found g1"):
        check_groups(side("one", "g1"), side("two", "g2", "g1"))
    # The same path below two folders is two files.
    check_groups(
        Listing(root=Path("one"), files=(_file("x"),), classes=("a",), origin="", official=False),
        Listing(root=Path("two"), files=(_file("x"),), classes=("a",), origin="", official=False),
    )
