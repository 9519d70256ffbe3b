"""A job between two hosts that share a storage and no disk."""

import json
from pathlib import Path

import pytest

from tasks import exchange
from tasks.artifacts import Artifact, Request, Store
from tasks.attempt import ENDED, NEWEST, PULSE, Attempt, Ended, RetiredError, say_ended
from tasks.exchange import Asking, Working
from tasks.job_file import read_job, write_job
from tasks.storage import Storage, StorageError, open_storage

WORK = "work/train/3f2a9c01"


class Clock:
    """Time that passes in `sleep` alone."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(exchange, "time", clock)
    return clock


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The storage's folder."""
    (tmp_path / "there").mkdir()
    return tmp_path / "there"


@pytest.fixture
def storage(there: Path) -> Storage:
    storage = open_storage(f"file://{there}")
    assert storage is not None
    return storage


@pytest.fixture
def asker(tmp_path: Path, storage: Storage) -> Store:
    """The home folder of who asks."""
    return Store(tmp_path / "asker", storage)


@pytest.fixture
def worker(tmp_path: Path) -> Path:
    """The home folder of who works; not that of who asks."""
    (tmp_path / "worker").mkdir()
    return tmp_path / "worker"


@pytest.fixture
def data(asker: Store) -> Artifact:
    """An artifact that the job reads."""
    request = Request("prepare", 1, {}, {}, 0, "svhn train")
    output = asker.work(request) / "output"
    output.mkdir()
    (output / "images.bin").write_text("pixels")
    artifact = asker.commit(request, output, {}, {}, {})
    asker.discard_work(request)
    return artifact


@pytest.fixture
def folder(asker: Store, data: Artifact) -> Path:
    """The job's folder, of who asks."""
    folder = asker.home / WORK
    (folder / "output").mkdir(parents=True)
    write_job(folder, {"data": str(asker.home / data.folder), "seed": 7}, asker.home)
    return folder


@pytest.fixture
def asking(asker: Store, storage: Storage, clock: Clock) -> Asking:
    return Asking(asker.home, WORK, storage)


def handed_over(asking: Asking, folder: Path) -> Attempt:
    attempt = Attempt.begin(folder)
    asking.hand_over()
    return attempt


def on(home: Path, attempt: Attempt) -> Attempt:
    """The same attempt, on another host."""
    return Attempt(home / WORK, attempt.key)


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# There.


def test_the_job_and_what_it_reads_are_brought(
    asking: Asking, folder: Path, worker: Path, storage: Storage, data: Artifact
) -> None:
    attempt = on(worker, handed_over(asking, folder))

    Working(worker, attempt, storage).fetch()

    job = read_job(attempt.folder, worker)
    assert job == {"data": str(worker / data.folder), "seed": 7}
    assert (Path(job["data"]) / "images.bin").read_text() == "pixels"
    attempt.check()


def test_only_an_artifact_that_is_missing_or_damaged_is_brought(
    asking: Asking, folder: Path, worker: Path, storage: Storage, data: Artifact, there: Path
) -> None:
    attempt = on(worker, handed_over(asking, folder))
    Working(worker, attempt, storage).fetch()
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


def test_a_checkpoint_of_an_attempt_before_goes_along_and_half_a_file_does_not(
    asking: Asking, folder: Path, worker: Path, storage: Storage
) -> None:
    (folder / "checkpoint.pt").write_text("step 100")
    (folder / ".checkpoint.pt.1.tmp").write_text("ste")
    attempt = on(worker, handed_over(asking, folder))

    Working(worker, attempt, storage).fetch()

    assert names(attempt.folder) == {"job.json", "checkpoint.pt", NEWEST}


def test_whoever_sees_the_key_there_sees_the_job(
    asking: Asking, folder: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed: list[str] = []
    monkeypatch.setattr(storage, "push", lambda _, paths: pushed.extend(paths))

    handed_over(asking, folder)

    assert pushed == [f"{WORK}/job.json", f"{WORK}/{NEWEST}"]


# And back.


def test_signs_of_life_and_in_the_end_the_outcome_come_back(
    asking: Asking, folder: Path, worker: Path, storage: Storage, clock: Clock, there: Path
) -> None:
    asked = handed_over(asking, folder)
    attempt = on(worker, asked)
    working = Working(worker, attempt, storage)
    working.fetch()
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
    asking: Asking,
    folder: Path,
    worker: Path,
    storage: Storage,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt = on(worker, handed_over(asking, folder))
    working = Working(worker, attempt, storage)
    working.fetch()
    for name in ("zebra.txt", "outcome.json", "output/model.pt"):
        (attempt.folder / name).parent.mkdir(exist_ok=True)
        (attempt.folder / name).write_text("x")
    say_ended(attempt, Ended(attempt.key))
    order: list[str] = []
    push, pull = storage.push, storage.pull
    monkeypatch.setattr(storage, "push", lambda home, paths: push(home, noted(order, paths)))
    monkeypatch.setattr(storage, "pull", lambda home, paths: pull(home, noted(order, paths)))

    working.finish()
    asking.look()

    sent, brought = order[: len(order) // 2], order[len(order) // 2 :]
    assert sent[-1] == brought[-1] == f"{WORK}/{ENDED}"
    assert set(sent) == set(brought)
    assert len(sent) == 4


def noted(order: list[str], paths: list[str]) -> list[str]:
    order.extend(paths)
    return paths


def test_parcels_and_looks_are_some_seconds_apart(
    asking: Asking, folder: Path, worker: Path, storage: Storage, clock: Clock, there: Path
) -> None:
    attempt = on(worker, handed_over(asking, folder))
    working = Working(worker, attempt, storage)
    working.fetch()
    progress = attempt.folder / "progress.jsonl"
    seen: list[str] = []
    for number in range(5):
        progress.write_text(str(number))
        working.tell()
        seen.append((there / WORK / "progress.jsonl").read_text())
        clock.now += exchange.SEND_S / 2

    assert seen == ["0", "0", "2", "2", "4"]


def test_an_outcome_comes_back_although_an_earlier_attempt_has_left_the_same_bytes(
    asking: Asking, folder: Path, worker: Path, storage: Storage, clock: Clock, there: Path
) -> None:
    # Of an attempt that was taken for dead and ended before the next was handed over.
    (there / WORK).mkdir(parents=True)
    (there / WORK / "outcome.json").write_text("{}")
    attempt = on(worker, handed_over(asking, folder))
    working = Working(worker, attempt, storage)
    working.fetch()
    (attempt.folder / "outcome.json").write_text("{}")
    say_ended(attempt, Ended(attempt.key))

    working.finish()
    asking.look()

    assert (folder / "outcome.json").read_text() == "{}"


@pytest.mark.parametrize("name", ["job.json", NEWEST])
def test_what_is_decided_here_is_not_taken_from_the_storage(
    asking: Asking, folder: Path, clock: Clock, there: Path, name: str
) -> None:
    attempt = handed_over(asking, folder)
    before = (folder / name).read_text()
    (there / WORK / name).write_text('{"key": "of somebody else, who may write there"}')

    asking.look()

    assert (folder / name).read_text() == before
    attempt.check()


# Fencing.


@pytest.mark.parametrize("newer", [True, False])
def test_an_attempt_that_is_no_longer_wanted_brings_and_sends_nothing(
    asking: Asking,
    folder: Path,
    worker: Path,
    storage: Storage,
    clock: Clock,
    there: Path,
    newer: bool,
) -> None:
    attempt = on(worker, handed_over(asking, folder))
    working = Working(worker, attempt, storage)
    working.fetch()
    if newer:
        handed_over(asking, folder)
    else:
        asking.take_away()
    before = names(there)
    (attempt.folder / PULSE).write_text("{}")

    working.tell()

    # The process looks at its own folder, and stops.
    with pytest.raises(RetiredError):
        attempt.check()
    say_ended(attempt, Ended(attempt.key))
    with pytest.raises(RetiredError):
        working.finish()
    with pytest.raises(RetiredError):
        Working(worker, attempt, storage).fetch()
    assert names(there) == before


def test_what_a_killed_attempt_has_left_on_a_worker_is_no_reason_to_refuse_the_next(
    asking: Asking, folder: Path, worker: Path, storage: Storage
) -> None:
    killed = on(worker, handed_over(asking, folder))
    Working(worker, killed, storage).fetch()
    (killed.folder / "checkpoint.pt").write_text("its own, perhaps half")
    asking.take_away()

    attempt = on(worker, handed_over(asking, folder))
    Working(worker, attempt, storage).fetch()

    attempt.check()
    assert names(attempt.folder) == {"job.json", NEWEST}


def test_a_late_attempt_leaves_the_folder_of_who_asks_alone(
    asking: Asking, folder: Path, asker: Store, storage: Storage
) -> None:
    # Host of who asks: it has workers of its own, for which there is nothing to carry.
    late = handed_over(asking, folder)
    late.retire()
    asking.take_away()
    (folder / "checkpoint.pt").touch()
    before = names(folder)

    with pytest.raises(RetiredError):
        Working(asker.home, late, storage).fetch()

    assert names(folder) == before


# A storage that is away, and none.


def test_finished_work_waits_for_the_storage(
    asking: Asking,
    folder: Path,
    worker: Path,
    storage: Storage,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt = on(worker, handed_over(asking, folder))
    working = Working(worker, attempt, storage)
    working.fetch()
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
    asking: Asking,
    folder: Path,
    worker: Path,
    storage: Storage,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt = on(worker, handed_over(asking, folder))
    working = Working(worker, attempt, storage)
    working.fetch()
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
