"""Digests are computed once."""

import hashlib
import os
import sqlite3
from contextlib import closing

import pytest

from data import digest_cache
from data.digest_cache import FILE, KnownDigests
from data.errors import DataError


@pytest.fixture
def hashed(monkeypatch):
    """Names of the files that were actually read."""
    read = []
    take = digest_cache.sha256_file

    def noted(path):
        read.append(path.name)
        return take(path)

    monkeypatch.setattr(digest_cache, "sha256_file", noted)
    return read


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_text(name)
    return folder


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_file_is_read_once_in_all_runs_over_one_folder(tmp_path, files, hashed):
    for _ in range(3):
        known = KnownDigests(tmp_path)
        assert [known.sha256(files / name) for name in "abab"] == [digest(c) for c in "abab"]
        known.save()
    assert hashed == ["a", "b"]


@pytest.mark.parametrize("change", ["longer", "other time"])
def test_a_file_that_changed_is_read_again(tmp_path, files, hashed, change):
    first = KnownDigests(tmp_path)
    first.sha256(files / "a")
    first.save()
    if change == "longer":
        status = (files / "a").stat()
        (files / "a").write_text("aa")
        os.utime(files / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
    else:
        os.utime(files / "a", ns=(1, 1))
    second = KnownDigests(tmp_path)
    assert second.sha256(files / "a") == digest("aa" if change == "longer" else "a")
    second.save()
    assert KnownDigests(tmp_path).sha256(files / "a") == second.sha256(files / "a")
    assert hashed == ["a", "a"]


def test_nothing_is_written_where_there_is_no_folder_or_nothing_new(tmp_path, files):
    known = KnownDigests(tmp_path / "home")
    known.sha256(files / "a")
    known.save()
    assert not (tmp_path / "home").exists()
    KnownDigests(tmp_path).save()
    assert not (tmp_path / FILE).exists()
    in_memory = KnownDigests()
    in_memory.sha256(files / "a")
    in_memory.save()


def test_a_damaged_list_is_made_again(tmp_path, files, hashed):
    (tmp_path / FILE).write_bytes(b"not a database, and long enough to be taken for one" * 99)
    for _ in range(3):
        known = KnownDigests(tmp_path)
        assert known.sha256(files / "a") == digest("a")
        known.save()
    assert hashed == ["a", "a"]


def test_a_list_in_use_or_of_another_form_is_left_alone(tmp_path, files):
    with closing(sqlite3.connect(tmp_path / FILE)) as other, other:
        other.execute("create table digests (path)")
    known = KnownDigests(tmp_path)
    assert known.sha256(files / "a") == digest("a")
    known.save()
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        assert other.execute("select * from digests").fetchall() == []


def test_an_interrupt_loses_little(tmp_path, files, hashed, monkeypatch):
    monkeypatch.setattr(digest_cache, "SAVE_EVERY", 2)
    known = KnownDigests(tmp_path)
    known.sha256(files / "a")
    assert not (tmp_path / FILE).exists()
    known.sha256(files / "b")
    assert KnownDigests(tmp_path).sha256(files / "a") == digest("a")
    assert hashed == ["a", "b"]


def test_a_list_that_cannot_be_kept_is_not_tried_again_at_every_file(tmp_path, monkeypatch):
    tried = []
    monkeypatch.setattr(digest_cache, "SAVE_EVERY", 2)
    monkeypatch.setattr(KnownDigests, "save", lambda _: tried.append(1))
    known = KnownDigests(tmp_path)
    for name in "abcde":
        (tmp_path / name).write_text(name)
        known.sha256(tmp_path / name)
    assert len(tried) == 2


def test_a_folder_in_place_of_a_file_is_one_line(files):
    with pytest.raises(DataError, match="Expected a readable file"):
        KnownDigests().sha256(files)


def test_many_digests_are_taken_at_once_and_each_file_once(files, hashed):
    known = KnownDigests()
    assert known.take(files, ["a", "b", "a"]) == [digest("a"), digest("b"), digest("a")]
    assert sorted(hashed) == ["a", "b"]
    assert known.sha256(files / "a") == digest("a")
    known.take(files, ["a"])
    assert len(hashed) == 2
