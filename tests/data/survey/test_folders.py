"""How folders and tables of files lie."""

import pytest

from data.errors import DataError
from data.survey.folders import candidate, candidates


@pytest.fixture
def grow(tmp_path):
    def write(*paths):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(path)
        return tmp_path

    return write


def test_folders_and_tables_are_told_by_how_their_files_lie(grow):
    root = grow(
        "labelled/cat/1.jpg",
        "labelled/dog/deep/2.jpg",
        "labelled/dog/3.jpg",
        "pool/1.jpg",
        "sources/web/cat/1.jpg",
        "sources/shop/cat/1.jpg",
        "notes/readme.txt",
    )
    (root / "all.csv").write_text("path,label\nlabelled/cat/1.jpg,cat\n")
    (root / "new.csv").write_text("path\npool/1.jpg\n")
    (root / "corrections.csv").write_text("path,decision,label\npool/1.jpg,confirm,cat\n")
    (root / "prices.csv").write_text("name,price\na,1\n")
    found = {str(one.place.relative_to(root)): one for one in candidates(root)}
    assert {name: one.form for name, one in found.items()} == {
        "labelled": "classes",
        "notes": "empty",
        "pool": "flat",
        "sources/shop": "classes",
        "sources/web": "classes",
        "all.csv": "classes",
        "new.csv": "flat",
    }
    assert (found["labelled"].classes, found["labelled"].files) == (2, 3)
    assert (found["pool"].classes, found["pool"].files) == (0, 1)
    assert candidate(root / "pool").form == "flat"
    assert candidate(root / "labelled").form == "classes"


def test_a_place_that_is_no_folder_and_no_table_is_one_line(grow):
    with pytest.raises(DataError, match="Expected a readable folder"):
        candidate(grow() / "none")
    with pytest.raises(DataError, match="Expected a column path"):
        candidate(grow("prices.csv") / "prices.csv")
