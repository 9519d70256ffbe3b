"""Artifacts in a second place: brought whole, sent in order, never believed without a look."""

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.storage import artifact_mirror as mirror_module
from tasks.storage.artifacts import RESULT, Artifact, Request, Store
from tasks.storage.remote import Storage, StorageError, open_storage
from tasks.subjects import Subject

FILES = {"a.txt": "one", "b.txt": "two"}


def request_of(seed: int = 7) -> Request:
    whole = {"stage": "double", "version": 1, "config": {"rate": 0.05}, "inputs": {}}
    return Request(**whole, seed=seed, subject=Subject(name="a stage"))


def made(store: Store, request: Request | None = None, files: dict[str, str] = FILES) -> Artifact:
    request = request or request_of()
    output = store.work(request) / "output"
    output.mkdir()
    for name, text in files.items():
        (output / name).write_text(text)
    return store.commit(request, output, {"n": 2}, {"run_id": "r"}, {})


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The storage's folder."""
    (tmp_path / "there").mkdir()
    return tmp_path / "there"


@pytest.fixture
def storage(there: Path) -> Storage:
    return open_storage(f"file://{there}")


@pytest.fixture
def host(tmp_path: Path, storage: Storage) -> Callable[[str], Store]:
    """A store of another host, with a home folder of its own."""

    def make(name: str) -> Store:
        return Store(tmp_path / name, storage)

    return make


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(mirror_module.time, "monotonic", lambda: now[0])
    return now


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_one_host_made_another_finds(host) -> None:
    artifact = made(host("one"))

    found = host("two").find(request_of())

    assert found == artifact
    one, two = (host(name).home / artifact.folder for name in ("one", "two"))
    assert contents(one) == contents(two)
    assert sorted(contents(two)) == ["a.txt", "b.txt", RESULT]


def test_what_nobody_made_is_not_found_and_leaves_nothing_behind(host) -> None:
    two = host("two")

    assert two.find(request_of()) is None
    assert [path for path in two.home.rglob("*") if path.is_file()] == []
    assert list((two.home / "work").iterdir()) == []


def test_what_was_brought_is_found_without_the_storage(host, there: Path) -> None:
    artifact = made(host("one"))
    two = host("two")
    two.find(request_of())
    there.rename(there.with_name("gone"))

    assert Store(two.home).find(request_of()) == artifact
    assert host("two").find(request_of()) == artifact


def test_the_result_is_sent_last(host, storage: Storage, monkeypatch) -> None:
    sent: list[str] = []
    put = storage._put
    monkeypatch.setattr(storage, "_put", lambda s, p: (sent.append(s.name), put(s, p)))

    made(host("one"), files={"z.txt": "z", "a.txt": "a"})

    assert sent == ["a.txt", "z.txt", RESULT]


def test_half_an_artifact_is_none(host, there: Path) -> None:
    artifact = made(host("one"))
    (there / artifact.folder / RESULT).unlink()

    assert host("two").find(request_of()) is None


def spoil_file(folder: Path) -> None:
    (folder / "b.txt").write_text("TWO")


def lose_file(folder: Path) -> None:
    (folder / "b.txt").unlink()


def cut_result(folder: Path) -> None:
    (folder / RESULT).write_text((folder / RESULT).read_text()[:50])


def edit_result(**changes) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        result = json.loads((folder / RESULT).read_text())
        (folder / RESULT).write_text(json.dumps(result | changes))

    return edit


def leave_home(folder: Path) -> None:
    """A result whose digests are right, with a file outside the folder."""
    result = json.loads((folder / RESULT).read_text())
    entry = result["files"]["b.txt"]
    edit_result(files={"../../../../b.txt": entry})(folder)


DAMAGE = [
    spoil_file,
    lose_file,
    cut_result,
    leave_home,
    edit_result(summary={"n": 3}),
    edit_result(document={}),
    edit_result(folder="artifacts/double/other"),
    edit_result(files=["a.txt"]),
    edit_result(more=1),
    lambda folder: (folder / RESULT).write_text("[]"),
]


def test_what_is_made_again_here_replaces_what_is_damaged_there(host, there: Path) -> None:
    one = host("one")
    folder = made(one).folder
    for copy in (one.home / folder, there / folder):
        spoil_file(copy)
    assert one.find(request_of()) is None

    artifact = made(one)

    assert host("two").find(request_of()) == artifact


@pytest.mark.parametrize("spoil", DAMAGE)
def test_what_is_damaged_there_counts_as_missing_until_it_is_made_again(
    host, there: Path, spoil, caplog
) -> None:
    folder = made(host("one")).folder
    spoil(there / folder)
    two = host("two")

    assert two.find(request_of()) is None
    assert not (two.home / folder).exists()
    assert "counts as missing" in caplog.text

    artifact = made(two)
    assert host("three").find(request_of()) == artifact


def test_a_damaged_copy_here_is_replaced_from_there(host) -> None:
    one = host("one")
    artifact = made(one)
    spoil_file(one.home / artifact.folder)

    assert one.find(request_of()) == artifact
    assert (one.home / artifact.folder / "b.txt").read_text() == "two"


def test_what_was_made_before_there_was_a_storage_is_sent_when_it_is_found(
    host, tmp_path: Path
) -> None:
    artifact = made(Store(tmp_path / "one"))
    assert host("two").find(request_of()) is None

    host("one").find(request_of())

    assert host("two").find(request_of()) == artifact


def test_an_artifact_that_is_there_is_asked_for_once(host, storage: Storage, monkeypatch) -> None:
    made(host("one"))
    asked: list[str] = []
    read = storage.read
    monkeypatch.setattr(storage, "read", lambda path: (asked.append(path), read(path))[1])
    one = host("one")

    for _ in range(3):
        one.find(request_of())

    assert len(asked) == 1


def test_a_storage_that_is_away_loses_nothing_and_gets_it_later(
    host, there: Path, clock: list[float], caplog
) -> None:
    one = host("one")
    there.rename(there.with_name("gone"))
    artifact, other = made(one), made(one, request_of(8))

    assert one.find(request_of()) == artifact
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 1
    assert "\n" not in caplog.records[0].getMessage()
    assert one.flush() == sorted([artifact.folder, other.folder])

    there.with_name("gone").rename(there)
    assert one.find(request_of()) == artifact
    assert host("two").find(request_of()) is None, "the storage is left alone for a minute"
    clock[0] += 61
    assert one.find(request_of()) == artifact
    assert host("two").find(request_of()) == artifact
    assert one.flush() == []
    assert host("two").find(request_of(8)) == other


def test_a_flush_does_not_wait_out_the_minute(host, there: Path, clock: list[float]) -> None:
    one = host("one")
    there.rename(there.with_name("gone"))
    artifact = made(one)
    there.with_name("gone").rename(there)

    assert one.flush() == []

    assert host("two").find(request_of()) == artifact


def test_a_kill_before_the_artifact_was_sent_is_made_good_by_the_next_run(
    host, there: Path
) -> None:
    there.rename(there.with_name("gone"))
    artifact = made(host("one"))
    there.with_name("gone").rename(there)

    host("one").find(request_of())

    assert host("two").find(request_of()) == artifact


def test_a_forgotten_artifact_is_gone_here_and_there(host, there: Path) -> None:
    one = host("one")
    artifact, other = made(one), made(one, request_of(8))

    one.forget(artifact)

    assert one.find(request_of()) is None
    assert host("two").find(request_of()) is None
    assert not (there / artifact.folder).exists()
    assert host("two").find(request_of(8)) == other

    again = made(one, files={"a.txt": "other"})
    assert host("two").find(request_of()) == again


def test_what_was_forgotten_and_made_by_another_process_is_sent(host) -> None:
    one = host("one")
    one.forget(made(one))
    artifact = made(Store(one.home))

    one.find(request_of())

    assert host("two").find(request_of()) == artifact


def test_an_artifact_is_not_forgotten_while_the_storage_would_bring_it_back(
    host, storage: Storage, monkeypatch
) -> None:
    one = host("one")
    artifact = made(one)

    def away(path: str) -> None:
        raise StorageError("away")

    monkeypatch.setattr(storage, "remove", away)

    with pytest.raises(StorageError, match="away"):
        one.forget(artifact)

    assert Store(one.home).find(request_of()) == artifact


def test_without_a_storage_an_artifact_is_forgotten_here(tmp_path: Path) -> None:
    store = Store(tmp_path)

    store.forget(made(store))

    assert store.find(request_of()) is None
    assert store.flush() == []


def test_many_who_bring_the_same_at_once_all_get_it(host) -> None:
    artifact = made(host("one"))
    two = host("two")
    found: list[Artifact | None] = []
    threads = [
        threading.Thread(target=lambda: found.append(two.find(request_of()))) for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [artifact] * 8
    assert list((two.home / "work").iterdir()) == []


def test_two_hosts_that_make_the_same_leave_it_whole(host) -> None:
    stores = [host("one"), host("two")]
    threads = [threading.Thread(target=made, args=(store,)) for store in stores]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert host("three").find(request_of()) is not None
