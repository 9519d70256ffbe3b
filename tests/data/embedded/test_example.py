"""The drawn project of somebody's own."""

import hashlib

import pytest

from data.embedded import example
from data.embedded.example import write_example
from data.errors import DataError
from data.readers.own_files import list_labelled, list_unlabelled


@pytest.fixture
def small(monkeypatch):
    """A few photos of each kind."""
    for name in ("LABELLED", "UNLABELLED", "TEST", "SOURCE"):
        monkeypatch.setattr(example, name, 2)


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.jpg"))
    }


def test_it_is_a_project_and_the_same_every_time(small, tmp_path):
    write_example(tmp_path / "one")
    write_example(tmp_path / "two")
    found = digests(tmp_path / "one")
    assert found == digests(tmp_path / "two")
    assert len(set(found.values())) == len(found) == 2 * 4 * 5
    labelled = list_labelled(tmp_path / "one" / "labelled")
    assert labelled.classes == example.CLASSES
    assert list_labelled(tmp_path / "one" / "sources" / "studio").classes == example.CLASSES
    assert len(list_unlabelled([tmp_path / "one" / "unlabelled"]).files) == 8
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_files_of_others_are_left_alone_unless_told(small, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear")
    with pytest.raises(DataError, match="Expected an empty folder for the example, found files"):
        write_example(tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["diary.txt"]
    write_example(tmp_path / "mine", force=True)
    assert (tmp_path / "mine" / "labelled").is_dir()
    with pytest.raises(DataError, match="Expected to write the example into"):
        write_example(tmp_path / "mine" / "labelled" / "Kicks" / "Kicks_1.jpg" / "x")
