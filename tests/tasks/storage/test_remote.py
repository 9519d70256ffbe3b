"""The storage: files whole or not at all, paths inside, errors in one line."""

import errno
import itertools
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import StageError
from tasks.storage.remote import (
    MARKER,
    Storage,
    StorageError,
    changed,
    inside,
    marks_of,
    open_storage,
)

NUMBERS = itertools.count()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture(params=["memory", "file"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "memory":
        return open_storage(f"memory://bucket-{next(NUMBERS)}/prefix")
    return folder_storage(tmp_path)


def folder_storage(tmp_path: Path) -> Storage:
    (tmp_path / "mount").mkdir()
    return open_storage(f"file://{tmp_path}/mount")


def write(home: Path, path: str, text: str = "text") -> str:
    (home / path).parent.mkdir(parents=True, exist_ok=True)
    (home / path).write_text(text)
    return path


def test_what_was_pushed_is_pulled_on_another_host(
    storage: Storage, home: Path, tmp_path: Path
) -> None:
    paths = [write(home, "work/a/output/m.pt", "model"), write(home, "work/a/job.json", "{}")]

    storage.push(home, paths)
    storage.pull(tmp_path / "other", paths)

    assert (tmp_path / "other/work/a/output/m.pt").read_text() == "model"
    assert (tmp_path / "other/work/a/job.json").read_text() == "{}"


def test_a_file_that_is_there_already_is_replaced(storage: Storage, home: Path) -> None:
    storage.push(home, [write(home, "a", "one")])
    storage.push(home, [write(home, "a", "other")])

    assert storage.read("a") == b"other"


def test_what_is_not_there_reads_as_none_and_is_left_out(storage: Storage, home: Path) -> None:
    storage.pull(home, ["work/none"])
    storage.remove("work/none")

    assert storage.read("work/none") is None
    assert storage.listing("work/none") == {}
    assert list(home.rglob("*")) in ([], [home / "work"])


def test_a_listing_holds_the_files_below_a_folder_and_no_neighbours(
    storage: Storage, home: Path
) -> None:
    paths = [write(home, f"work/{name}") for name in ("ab/x", "ab/sub/y", "abc/z", "q")]
    storage.push(home, paths)

    assert sorted(storage.listing("work/ab")) == ["work/ab/sub/y", "work/ab/x"]


def test_a_mark_changes_with_the_file_and_only_then(storage: Storage, home: Path) -> None:
    storage.push(home, [write(home, "w/a", "one"), write(home, "w/b", "one")])
    before = storage.listing("w")
    assert storage.listing("w") == before

    storage.push(home, [write(home, "w/a", "two"), write(home, "w/c")])

    assert changed(storage.listing("w"), before) == ["w/a", "w/c"]


def test_marks_here_change_with_the_file_and_leave_out_what_is_missing(home: Path) -> None:
    paths = [write(home, "w/a", "one"), write(home, "w/b", "one"), "w/none"]
    before = marks_of(home, paths)
    assert sorted(before) == ["w/a", "w/b"]
    assert changed(marks_of(home, paths), before) == []

    write(home, "w/a", "longer")

    assert changed(marks_of(home, paths), before) == ["w/a"]


def test_what_lies_deeper_comes_first() -> None:
    now = {"w/outcome.json": "1", "w/output/b": "1", "w/log.txt": "1", "w/output/a": "1"}

    assert changed(now, {}) == ["w/output/a", "w/output/b", "w/log.txt", "w/outcome.json"]


def test_a_removed_folder_is_gone_with_all_that_was_in_it(storage: Storage, home: Path) -> None:
    storage.push(home, [write(home, p) for p in ("w/a/x", "w/a/sub/y", "w/ab/z")])

    storage.remove("w/a")

    assert sorted(storage.listing("w")) == ["w/ab/z"]


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "a//b", ".", "", "a/", "a\0b"])
def test_a_path_that_leaves_the_home_folder_is_refused(
    storage: Storage, home: Path, path: str
) -> None:
    for act in (
        lambda: storage.pull(home, [path]),
        lambda: storage.push(home, [path]),
        lambda: storage.read(path),
        lambda: storage.listing(path),
        lambda: storage.remove(path),
    ):
        with pytest.raises(StorageError, match="inside the home folder"):
            act()


@given(st.lists(st.sampled_from(["a", "..", ".", "", "b.c"]), min_size=1).map("/".join))
def test_whatever_is_let_through_stays_inside(path: str) -> None:
    try:
        inside(path)
    except StorageError:
        return
    assert Path("/home", path).resolve().is_relative_to("/home/")
    assert Path("/home", path).resolve() != Path("/home")


def test_a_listing_with_a_path_that_leaves_is_refused(home: Path, monkeypatch) -> None:
    storage = open_storage("memory://hostile")
    found = {"/hostile/w/../../.ssh/keys": {"size": 3}}
    monkeypatch.setattr(storage._fs, "find", lambda *_, **__: found)

    with pytest.raises(StorageError, match="inside the home folder"):
        storage.listing("w")


def test_a_pattern_removes_nothing(storage: Storage, home: Path) -> None:
    storage.push(home, [write(home, "w/a"), write(home, "w/b")])

    with pytest.raises(StorageError, match="pattern"):
        storage.remove("w/*")

    assert len(storage.listing("w")) == 2


def test_half_a_copy_has_not_got_the_files_name(tmp_path: Path, home: Path, monkeypatch) -> None:
    storage = folder_storage(tmp_path)
    path = write(home, "w/a", "whole")
    storage.push(home, [path])

    def half(source: str, target: str, **_: object) -> None:
        Path(target).write_text("ha")
        assert storage.read(path) == b"whole"
        assert list(storage.listing("w")) == [path]
        raise OSError(errno.EIO, "lost")

    monkeypatch.setattr(storage._fs, "put_file", half)
    monkeypatch.setattr(storage._fs, "get_file", half)

    with pytest.raises(StorageError, match=r"expected to write to file://.*lost"):
        storage.push(home, [path])
    with pytest.raises(StorageError, match=r"expected to read from file://.*lost"):
        storage.pull(home, [path])

    assert storage.read(path) == b"whole"
    assert (home / path).read_text() == "whole"
    assert [p.name for p in (*home.rglob("*"), *tmp_path.glob("mount/w/*"))] == ["w", "a", "a"]


def test_a_full_disk_here_is_told_as_such_and_a_full_storage_as_the_storages(
    storage: Storage, home: Path, monkeypatch
) -> None:
    storage.push(home, [write(home, "a")])

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(storage._fs, "get_file", full)
    monkeypatch.setattr(storage._fs, "put_file", full)

    with pytest.raises(OSError, match="no space left"):
        storage.pull(home, ["a"])
    with pytest.raises(StorageError, match="no space left"):
        storage.push(home, ["a"])


def test_nothing_is_remembered_of_what_other_hosts_write(storage: Storage, home: Path) -> None:
    assert storage.listing("w") == {}

    Storage(storage.url).push(home, [write(home, "w/a")])

    assert list(storage.listing("w")) == ["w/a"]


def test_no_url_is_no_storage_and_the_environment_names_one(monkeypatch) -> None:
    monkeypatch.delenv("GRADMIX_STORAGE", raising=False)
    assert open_storage() is None

    monkeypatch.setenv("GRADMIX_STORAGE", "memory://of-the-environment")
    assert open_storage().url == "memory://of-the-environment"
    assert open_storage("memory://named").url == "memory://named"


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:secret@bucket/prefix",
        "s3://bucket/prefix?secret=secret",
        "s3://bucket/prefix#secret",
        "simplecache::s3://bucket/secret",
    ],
)
def test_a_url_with_keys_or_options_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(StorageError, match="AWS_ACCESS_KEY_ID") as caught:
        open_storage(url)

    assert "secret@" not in str(caught.value)
    assert url not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("nothing://bucket", "Protocol not known"),
        ("memory://", "expected a bucket"),
        ("file:///nowhere/at/all", "expected a folder"),
    ],
)
def test_a_url_that_is_none_is_told_in_one_line(url: str, found: str) -> None:
    with pytest.raises(StageError, match=found) as caught:
        open_storage(url)

    assert "\n" not in str(caught.value)


def test_a_library_that_is_missing_is_named(monkeypatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)

    with pytest.raises(StorageError, match=r"Install s3fs .* pip install 'gradmix\[s3\]'"):
        open_storage("s3://bucket")


def test_a_storage_of_another_format_is_refused(storage: Storage, home: Path) -> None:
    assert storage.read(MARKER) == b'{"format": 1}'
    open_storage(storage.url)

    storage.push(home, [write(home, MARKER, '{"format": 2}')])

    with pytest.raises(StorageError, match="format 1"):
        open_storage(storage.url)


def test_a_mount_that_went_away_is_not_written_over(tmp_path: Path, home: Path) -> None:
    storage = folder_storage(tmp_path)
    (tmp_path / "mount").rename(tmp_path / "away")
    (tmp_path / "mount").mkdir()

    with pytest.raises(StorageError, match="mount it again"):
        storage.push(home, [write(home, "a")])

    assert list((tmp_path / "mount").iterdir()) == []
