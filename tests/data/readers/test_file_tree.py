import os
import unicodedata
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import DataError
from data.readers.file_tree import (
    Tree,
    check_complete,
    has_suffix,
    homes,
    name_key,
    not_zero,
    read_lines,
    read_tree,
)
from data.suffixes import PHOTO_SUFFIXES


def _grow(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def test_a_tree_holds_every_file_and_folder_sorted(tmp_path):
    _grow(tmp_path, "b/2.jpg", "b/1.jpg", "a/deep/er/x.avi", "top.txt")
    (tmp_path / "empty").mkdir()
    assert read_tree(tmp_path) == Tree(
        files=("a/deep/er/x.avi", "b/1.jpg", "b/2.jpg", "top.txt"),
        folders=("a", "a/deep", "a/deep/er", "b", "empty"),
        dead=0,
    )


def test_odd_names_are_names(tmp_path):
    names = ("with space.jpg", "line\nbreak.jpg", "ünï.jpg", "-rf", "[x]*.jpg", "a.b.c", "~x")
    assert set(read_tree(_grow(tmp_path, *names)).files) == set(names)


def test_hidden_files_and_those_that_desktops_leave_are_no_part(tmp_path):
    _grow(tmp_path, ".DS_Store", "a/._x.jpg", ".git/x", "a/Thumbs.db", "desktop.ini", "__MACOSX/x")
    tree = read_tree(tmp_path)
    assert (tree.files, tree.folders, tree.dead) == ((), ("a",), 0)
    assert tree.unused() == {
        "hidden files and folders": 1,
        "resource forks of macOS": 2,
        "thumbnails and settings of desktops": 3,
    }
    assert tree.unused("a/") == {
        "resource forks of macOS": 1,
        "thumbnails and settings of desktops": 1,
    }


def test_links_are_followed_from_wherever_they_come(tmp_path):
    _grow(tmp_path, "far/away/x.jpg", "far/y.jpg")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a").symlink_to(tmp_path / "far" / "away")
    (tmp_path / "root" / "b").symlink_to(tmp_path / "far" / "away")
    (tmp_path / "root" / "z.jpg").symlink_to(tmp_path / "far" / "y.jpg")
    assert read_tree(tmp_path / "root").files == ("a/x.jpg", "b/x.jpg", "z.jpg")


def test_links_that_lead_nowhere_or_back_up_are_counted_and_left_out(tmp_path):
    _grow(tmp_path, "a/b/x.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nothing")
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "here").symlink_to(tmp_path / "a")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert read_tree(tmp_path) == Tree(files=("a/b/x.jpg",), folders=("a", "a/b"), dead=5)


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_folder_that_is_none_is_one_line(tmp_path, kind):
    path = tmp_path / kind
    if kind == "file":
        path.touch()
    with pytest.raises(DataError, match=f"Expected a readable folder at .*{kind}, found none"):
        read_tree(path)
    with pytest.raises(DataError, match="Expected a readable folder"):
        homes(path, "UCF101")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path):
    _grow(tmp_path, "open/x", "shut/x")
    (tmp_path / "shut").chmod(0)
    try:
        with pytest.raises(DataError, match=r"shut, found none \(Permission denied\)"):
            read_tree(tmp_path)
    finally:
        (tmp_path / "shut").chmod(0o700)


def test_a_name_that_is_not_utf8_is_named(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.jpg")).touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    with pytest.raises(DataError, match=r"expected file names in UTF-8, found 'caf\\udce9\.jpg'"):
        read_tree(tmp_path)


def test_a_file_is_found_whatever_its_case_and_its_own_case_first():
    tree = Tree(files=("A/X.avi", "A/x.avi", "B/y.AVI"), folders=(), dead=0)
    assert tree.find("A/x.avi") == "A/x.avi"
    assert tree.find("a/x.AVI") == "A/X.avi"
    assert tree.find("b/Y.avi") == "B/y.AVI"
    assert tree.find("b/y") is None


def test_a_file_is_found_in_either_unicode_form():
    composed, apart = (unicodedata.normalize(form, "caf\u00e9.jpg") for form in ("NFC", "NFD"))
    for stored, named in ((composed, apart), (apart, composed)):
        assert Tree(files=(stored,), folders=(), dead=0).find(named) == stored


def test_a_data_set_lies_in_folders_of_its_name_or_in_the_root(tmp_path):
    for folder in ("bu-101", "BU101", "bu101x", "other"):
        (tmp_path / folder).mkdir()
    _grow(tmp_path, "BU_101")
    assert homes(tmp_path, "BU101") == (tmp_path / "BU101", tmp_path / "bu-101", tmp_path)
    assert homes(tmp_path, "MPII") == (tmp_path,)


@pytest.mark.parametrize(
    "name", ["HandStandPushups", "handstand_push-ups", "HandstandPushups\n", " Hand stand pushUPS"]
)
def test_names_that_differ_in_case_and_separators_have_one_key(name):
    assert name_key(name) == name_key("HandstandPushups")
    assert name_key(name) != name_key("HandstandPushup")


def test_names_in_two_unicode_forms_have_one_key():
    keys = {name_key(unicodedata.normalize(form, "Caf\u00e9 au lait")) for form in ("NFC", "NFD")}
    assert keys == {"caf\u00e9aulait"}


@pytest.mark.parametrize(
    ("path", "is_photo"),
    [("a/x.jpg", True), ("x.JPeG", True), ("a.jpg/x", False), ("x.jpg.txt", False), ("jpg", False)],
)
def test_a_suffix_counts_in_any_case_and_at_the_end_alone(path, is_photo):
    assert has_suffix(path, PHOTO_SUFFIXES) is is_photo


@given(
    lines=st.lists(st.text(st.characters(exclude_categories=["C", "Z"])), max_size=9),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_lines_keep_their_numbers_whatever_ends_them(tmp_path_factory, lines, end):
    path = tmp_path_factory.mktemp("lists") / "list.txt"
    path.write_bytes("".join(line + end for line in lines).encode())
    assert read_lines(path) == [(n, line) for n, line in enumerate(lines, 1) if line]


def test_a_byte_order_mark_and_spaces_at_the_ends_are_no_part_of_a_line(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbf  a b \r\n \t\r\nc")
    assert read_lines(path) == [(1, "a b"), (3, "c")]


def test_a_list_that_is_missing_or_not_utf8_is_one_line(tmp_path):
    path = tmp_path / "list.txt"
    with pytest.raises(DataError, match=r"Expected a list in UTF-8 at .*list\.txt, found none"):
        read_lines(path)
    path.write_bytes(b"caf\xe9 1\n")
    with pytest.raises(DataError, match=r"Expected a list in UTF-8 at .*can't decode"):
        read_lines(path)
    assert read_lines(path, errors="replace") == [(1, "caf\ufffd 1")]


def test_missing_files_are_counted_and_going_on_is_offered(tmp_path):
    check_complete(3, [], "clips", "list.txt", tmp_path)
    with pytest.raises(DataError, match=r"Expected 1 clips of list\.txt .* found 0, .* is a:"):
        check_complete(1, ["a"], "clips", "list.txt", tmp_path)
    with pytest.raises(DataError) as caught:
        check_complete(2_000, ["b", "a"], "clips", "list.txt", tmp_path)
    assert str(caught.value) == (
        f"Expected 2,000 clips of list.txt under {tmp_path}, found 1,998, the first "
        "missing one is b: add them, or continue anyway (partial = true, or --partial)."
    )


def test_reasons_that_did_not_happen_are_left_out():
    assert not_zero({"a": 0, "b": 2}) == {"b": 2}


@pytest.mark.parametrize(
    "path",
    ["a.PNG", "a.b/c", "a.b/.png", ".png", "a.", "a.b/c.png", "..png", "a/b.tar.png", "", "a.png."],
)
def test_a_suffix_is_that_of_pathlib(path):
    assert has_suffix(path, {".png"}) is (PurePosixPath(path).suffix.lower() == ".png")
