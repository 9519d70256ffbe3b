"""A job between two hosts that share a storage and no disk."""

import json
from pathlib import Path

import pytest

from tasks.execution import job_transfer as exchange
from tasks.execution.attempts import ENDED, HEARTBEAT, NEWEST, Attempt, Ended, write_end
from tasks.execution.job_transfer import SubmitterSync, WorkerSync
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

    WorkerSync(worker, attempt, storage).fetch()
    assert copy.stat().st_ino == stamp

    (worker / WORK / NEWEST).unlink()
    copy.write_text("other pixels")
    WorkerSync(worker, attempt, storage).fetch()
    assert copy.read_text() == "pixels"

    (worker / WORK / NEWEST).unlink()
    copy.unlink()
    (there / data.folder / "images.bin").unlink()
    with pytest.raises(StorageError, match=rf"^expected {data.folder} in the storage, found: "):
        WorkerSync(worker, attempt, storage).fetch()


def test_whoever_sees_the_key_there_sees_the_job(
    submitter: SubmitterSync, folder: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed: list[str] = []
    monkeypatch.setattr(storage, "push", lambda _, paths: pushed.extend(paths))

    handed_over(submitter, folder)

    assert pushed == [f"{WORK}/job.json", f"{WORK}/{NEWEST}"]


# And back.


def test_signs_of_life_and_in_the_end_the_outcome_come_back(
    submitter: SubmitterSync, folder: Path, fetch: Fetch, clock: Clock, there: Path
) -> None:
    attempt, worker_sync = fetch()
    asked = Attempt(folder, attempt.key)
    (attempt.folder / "progress.jsonl").write_text('{"step": 10}\n')
    worker_sync.sync()
    submitter.receive()
    assert (folder / "progress.jsonl").read_text() == '{"step": 10}\n'
    assert asked.ended() is None

    (attempt.folder / "output").mkdir()
    (attempt.folder / "output" / "model.pt").write_text("weights")
    (attempt.folder / "outcome.json").write_text("{}")
    write_end(attempt, Ended(attempt.key))
    worker_sync.finish()
    clock.now += exchange.LOOK_S
    submitter.receive()

    assert asked.ended() == Ended(asked.key)
    assert (folder / "output" / "model.pt").read_text() == "weights"
    # The key is of who asks, and the worker keeps nothing.
    asked.check()
    assert not attempt.folder.exists()
    submitter.delete()
    assert names(there / "work") == set()


def test_word_of_the_end_travels_last_on_both_ways(
    submitter: SubmitterSync, fetch: Fetch, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, worker_sync = fetch()
    for name in ("zebra.txt", "outcome.json", "output/model.pt"):
        (attempt.folder / name).parent.mkdir(exist_ok=True)
        (attempt.folder / name).write_text("x")
    (attempt.folder / HEARTBEAT).write_text("{}")
    write_end(attempt, Ended(attempt.key))
    order: list[str] = []
    push, pull = storage.push, storage.pull
    monkeypatch.setattr(storage, "push", lambda home, paths: push(home, noted(order, paths)))
    monkeypatch.setattr(storage, "pull", lambda home, paths: pull(home, noted(order, paths)))

    worker_sync.finish()
    submitter.receive()

    sent, brought = order[: len(order) // 2], order[len(order) // 2 :]
    assert sent[-1] == brought[-1] == f"{WORK}/{ENDED}"
    # Before what may take minutes.
    assert sent[0] == f"{WORK}/{HEARTBEAT}"
    assert set(sent) == set(brought)
    assert len(sent) == 5


def noted(order: list[str], paths: list[str]) -> list[str]:
    order.extend(paths)
    return paths


def test_parcels_and_looks_are_some_seconds_apart(fetch: Fetch, clock: Clock, there: Path) -> None:
    attempt, worker_sync = fetch()
    progress = attempt.folder / "progress.jsonl"
    seen: list[str] = []
    for number in range(5):
        progress.write_text(str(number))
        worker_sync.sync()
        seen.append((there / WORK / "progress.jsonl").read_text())
        clock.now += exchange.SEND_S / 2

    assert seen == ["0", "0", "2", "2", "4"]


@pytest.mark.parametrize("name", ["job.json", NEWEST])
def test_what_is_decided_here_is_not_taken_from_the_storage(
    submitter: SubmitterSync, folder: Path, there: Path, name: str
) -> None:
    attempt = handed_over(submitter, folder)
    before = (folder / name).read_text()
    (there / WORK / name).write_text('{"key": "of somebody else, who may write there"}')

    submitter.receive()

    assert (folder / name).read_text() == before
    attempt.check()


# A storage that is away, and none.


def test_finished_work_waits_for_the_storage(
    submitter: SubmitterSync,
    folder: Path,
    fetch: Fetch,
    storage: Storage,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt, worker_sync = fetch()
    write_end(attempt, Ended(attempt.key))
    push, began, failures = storage.push, clock.now, [StorageError("away")] * 3

    def sometimes(home: Path, paths: list[str]) -> None:
        if failures:
            raise failures.pop()
        push(home, paths)

    monkeypatch.setattr(storage, "push", sometimes)
    worker_sync.finish()

    assert clock.now - began == 3 * exchange.LOOK_S
    submitter.receive()
    assert json.loads((folder / ENDED).read_text())["key"] == attempt.key


def test_but_not_for_ever(
    fetch: Fetch, storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, worker_sync = fetch()
    began = clock.now

    def away(*_: object) -> None:
        raise StorageError("away")

    monkeypatch.setattr(storage, "push", away)
    with pytest.raises(StorageError, match="away"):
        worker_sync.finish()

    assert exchange.OUTAGE_S <= clock.now - began <= exchange.OUTAGE_S + 2 * exchange.LOOK_S


def test_where_the_home_is_mounted_nothing_is_carried(folder: Path, asker: Store) -> None:
    attempt = Attempt.begin(folder)
    before = names(asker.home)
    submitter, worker_sync = (
        SubmitterSync(asker.home, WORK, None),
        WorkerSync(asker.home, attempt, None),
    )

    submitter.send()
    worker_sync.fetch()
    worker_sync.sync()
    submitter.receive()
    worker_sync.finish()
    submitter.delete()

    assert names(asker.home) == before


def test_a_worker_of_the_host_that_asks_carries_nothing_although_there_is_a_storage(
    submitter: SubmitterSync, folder: Path, asker: Store, storage: Storage, there: Path
) -> None:
    attempt = handed_over(submitter, folder)
    before = names(there), names(asker.home)
    worker_sync = WorkerSync(asker.home, attempt, storage)

    worker_sync.fetch()
    worker_sync.sync()
    worker_sync.finish()

    assert (names(there), names(asker.home)) == before
