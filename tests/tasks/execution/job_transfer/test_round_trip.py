"""A job between two hosts that share a storage and no disk."""

import json
from pathlib import Path

import pytest

from tasks.execution import job_transfer as exchange
from tasks.execution.attempts import ENDED, NEWEST, PULSE, Attempt, Ended, say_ended
from tasks.execution.job_transfer import Asking, Working
from tasks.jobs.files import read_job
from tasks.storage.artifacts import Artifact, Store
from tasks.storage.remote import Storage, StorageError
from tests.tasks.execution.job_transfer.hosts import WORK, Clock, Fetch, Job, handed_over, names

# There.


def test_the_job_and_what_it_reads_are_brought(fetch: Fetch, worker: Path, data: Artifact) -> None:
    attempt, _ = fetch()

    job = read_job(Job, attempt.folder, worker)
    assert job == Job(data=worker / data.folder, seed=7)
    assert (job.data / "images.bin").read_text() == "pixels"
    attempt.check()


def test_only_an_artifact_that_is_missing_or_damaged_is_brought(
    fetch: Fetch, worker: Path, storage: Storage, data: Artifact, there: Path
) -> None:
    attempt, _ = fetch()
    copy = worker / data.folder / "images.bin"
    (worker / WORK / NEWEST).unlink()  # as on a worker that begins
    stamp = copy.stat().st_ino

    Working(worker, attempt, storage).fetch()
    assert copy.stat().st_ino == stamp

    (worker / WORK / NEWEST).unlink()
    copy.write_text("other pixels")
    Working(worker, attempt, storage).fetch()
    assert copy.read_text() == "pixels"

    (worker / WORK / NEWEST).unlink()
    copy.unlink()
    (there / data.folder / "images.bin").unlink()
    with pytest.raises(StorageError, match=rf"^expected {data.folder} in the storage, found: "):
        Working(worker, attempt, storage).fetch()


def test_whoever_sees_the_key_there_sees_the_job(
    asking: Asking, folder: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed: list[str] = []
    monkeypatch.setattr(storage, "push", lambda _, paths: pushed.extend(paths))

    handed_over(asking, folder)

    assert pushed == [f"{WORK}/job.json", f"{WORK}/{NEWEST}"]


# And back.


def test_signs_of_life_and_in_the_end_the_outcome_come_back(
    asking: Asking, folder: Path, fetch: Fetch, clock: Clock, there: Path
) -> None:
    attempt, working = fetch()
    asked = Attempt(folder, attempt.key)
    (attempt.folder / "progress.jsonl").write_text('{"step": 10}\n')
    working.tell()
    asking.look()
    assert (folder / "progress.jsonl").read_text() == '{"step": 10}\n'
    assert asked.ended() is None

    (attempt.folder / "output").mkdir()
    (attempt.folder / "output" / "model.pt").write_text("weights")
    (attempt.folder / "outcome.json").write_text("{}")
    say_ended(attempt, Ended(attempt.key))
    working.finish()
    clock.now += exchange.LOOK_S
    asking.look()

    assert asked.ended() == Ended(asked.key)
    assert (folder / "output" / "model.pt").read_text() == "weights"
    # The key is of who asks, and the worker keeps nothing.
    asked.check()
    assert not attempt.folder.exists()
    asking.take_away()
    assert names(there / "work") == set()


def test_word_of_the_end_travels_last_on_both_ways(
    asking: Asking, fetch: Fetch, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, working = fetch()
    for name in ("zebra.txt", "outcome.json", "output/model.pt"):
        (attempt.folder / name).parent.mkdir(exist_ok=True)
        (attempt.folder / name).write_text("x")
    (attempt.folder / PULSE).write_text("{}")
    say_ended(attempt, Ended(attempt.key))
    order: list[str] = []
    push, pull = storage.push, storage.pull
    monkeypatch.setattr(storage, "push", lambda home, paths: push(home, noted(order, paths)))
    monkeypatch.setattr(storage, "pull", lambda home, paths: pull(home, noted(order, paths)))

    working.finish()
    asking.look()

    sent, brought = order[: len(order) // 2], order[len(order) // 2 :]
    assert sent[-1] == brought[-1] == f"{WORK}/{ENDED}"
    # Before what may take minutes.
    assert sent[0] == f"{WORK}/{PULSE}"
    assert set(sent) == set(brought)
    assert len(sent) == 5


def noted(order: list[str], paths: list[str]) -> list[str]:
    order.extend(paths)
    return paths


def test_parcels_and_looks_are_some_seconds_apart(fetch: Fetch, clock: Clock, there: Path) -> None:
    attempt, working = fetch()
    progress = attempt.folder / "progress.jsonl"
    seen: list[str] = []
    for number in range(5):
        progress.write_text(str(number))
        working.tell()
        seen.append((there / WORK / "progress.jsonl").read_text())
        clock.now += exchange.SEND_S / 2

    assert seen == ["0", "0", "2", "2", "4"]


@pytest.mark.parametrize("name", ["job.json", NEWEST])
def test_what_is_decided_here_is_not_taken_from_the_storage(
    asking: Asking, folder: Path, there: Path, name: str
) -> None:
    attempt = handed_over(asking, folder)
    before = (folder / name).read_text()
    (there / WORK / name).write_text('{"key": "of somebody else, who may write there"}')

    asking.look()

    assert (folder / name).read_text() == before
    attempt.check()


# A storage that is away, and none.


def test_finished_work_waits_for_the_storage(
    asking: Asking,
    folder: Path,
    fetch: Fetch,
    storage: Storage,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt, working = fetch()
    say_ended(attempt, Ended(attempt.key))
    push, began, failures = storage.push, clock.now, [StorageError("away")] * 3

    def sometimes(home: Path, paths: list[str]) -> None:
        if failures:
            raise failures.pop()
        push(home, paths)

    monkeypatch.setattr(storage, "push", sometimes)
    working.finish()

    assert clock.now - began == 3 * exchange.LOOK_S
    asking.look()
    assert json.loads((folder / ENDED).read_text())["key"] == attempt.key


def test_but_not_for_ever(
    fetch: Fetch, storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, working = fetch()
    began = clock.now

    def away(*_: object) -> None:
        raise StorageError("away")

    monkeypatch.setattr(storage, "push", away)
    with pytest.raises(StorageError, match="away"):
        working.finish()

    assert exchange.OUTAGE_S <= clock.now - began <= exchange.OUTAGE_S + 2 * exchange.LOOK_S


def test_where_the_home_is_mounted_nothing_is_carried(folder: Path, asker: Store) -> None:
    attempt = Attempt.begin(folder)
    before = names(asker.home)
    asking, working = Asking(asker.home, WORK, None), Working(asker.home, attempt, None)

    asking.hand_over()
    working.fetch()
    working.tell()
    asking.look()
    working.finish()
    asking.take_away()

    assert names(asker.home) == before


def test_a_worker_of_the_host_that_asks_carries_nothing_although_there_is_a_storage(
    asking: Asking, folder: Path, asker: Store, storage: Storage, there: Path
) -> None:
    attempt = handed_over(asking, folder)
    before = names(there), names(asker.home)
    working = Working(asker.home, attempt, storage)

    working.fetch()
    working.tell()
    working.finish()

    assert (names(there), names(asker.home)) == before
