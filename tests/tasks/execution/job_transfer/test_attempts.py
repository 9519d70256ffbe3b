"""Attempts between two hosts that are no longer wanted, and what attempts have left."""

from pathlib import Path

import pytest

from tasks.execution.attempts import HEARTBEAT, NEWEST, Ended, RetiredError, write_end
from tasks.execution.job_transfer import SubmitterSync, WorkerSync
from tasks.storage.artifacts import Store
from tasks.storage.remote import Storage
from tests.tasks.execution.job_transfer.hosts import WORK, Fetch, handed_over, names

# Fencing.


@pytest.mark.parametrize("newer", [True, False])
def test_an_attempt_that_is_no_longer_wanted_brings_and_sends_nothing(
    submitter: SubmitterSync,
    folder: Path,
    worker: Path,
    storage: Storage,
    fetch: Fetch,
    there: Path,
    newer: bool,
) -> None:
    attempt, worker_sync = fetch()
    if newer:
        handed_over(submitter, folder)
    else:
        submitter.delete()
    before = names(there)
    (attempt.folder / HEARTBEAT).write_text("{}")

    worker_sync.sync()

    # The process looks at its own folder, and stops.
    with pytest.raises(RetiredError):
        attempt.check()
    write_end(attempt, Ended(attempt.key))
    with pytest.raises(RetiredError):
        worker_sync.finish()
    with pytest.raises(RetiredError):
        WorkerSync(worker, attempt, storage).fetch()
    assert names(there) == before


def test_what_a_killed_attempt_has_left_on_a_worker_is_no_reason_to_refuse_the_next(
    submitter: SubmitterSync, fetch: Fetch
) -> None:
    killed, _ = fetch()
    (killed.folder / "checkpoint.pt").write_text("its own, perhaps half")
    submitter.delete()

    attempt, _ = fetch()

    attempt.check()
    assert names(attempt.folder) == {"job.json", NEWEST}


def test_a_late_attempt_leaves_the_folder_of_who_asks_alone(
    submitter: SubmitterSync, folder: Path, asker: Store, storage: Storage
) -> None:
    # Host of who asks: it has workers of its own, for which there is nothing to carry.
    late = handed_over(submitter, folder)
    late.retire()
    submitter.delete()
    (folder / "checkpoint.pt").touch()
    before = names(folder)

    with pytest.raises(RetiredError):
        WorkerSync(asker.home, late, storage).fetch()

    assert names(folder) == before


# Leftovers.


def test_a_checkpoint_of_an_attempt_before_goes_along_and_half_a_file_does_not(
    folder: Path, fetch: Fetch
) -> None:
    (folder / "checkpoint.pt").write_text("step 100")
    (folder / ".checkpoint.pt.1.tmp").write_text("ste")

    attempt, _ = fetch()

    assert names(attempt.folder) == {"job.json", "checkpoint.pt", NEWEST}


def test_an_outcome_comes_back_although_an_earlier_attempt_has_left_the_same_bytes(
    submitter: SubmitterSync, folder: Path, fetch: Fetch, there: Path
) -> None:
    # Of an attempt that was taken for dead and ended before the next was handed over.
    (there / WORK).mkdir(parents=True)
    (there / WORK / "outcome.json").write_text("{}")
    attempt, worker_sync = fetch()
    (attempt.folder / "outcome.json").write_text("{}")
    write_end(attempt, Ended(attempt.key))

    worker_sync.finish()
    submitter.receive()

    assert (folder / "outcome.json").read_text() == "{}"
