"""Jobs on workers that share a storage with who asks."""

from collections.abc import Callable
from typing import Any
from unittest.mock import create_autospec

import pytest

from tasks.engine.stage import Workplace
from tasks.errors import StageError
from tasks.execution.attempts import NEWEST
from tasks.execution.fleet_runner import Timeouts
from tasks.storage.remote import Storage, StorageError
from tests.tasks.execution.fleet_runner.fakes import Clock, Run, Server, succeed


@pytest.fixture
def storage() -> Any:
    """A storage that takes only calls that the real one would."""
    storage = create_autospec(Storage, instance=True)
    storage.listing.return_value = {}
    return storage


def test_a_job_is_in_the_storage_before_it_is_asked_for_and_not_after_it(
    run, server: Server, storage: Any, place: Workplace
) -> None:
    pushed_before: list[int] = []

    def happen(worker: Run) -> None:
        pushed_before.append(storage.push.call_count)
        succeed(worker)

    run(happen, storage=storage)

    assert pushed_before == [1]
    work = str(place.folder.relative_to(place.runtime.home))
    # Whoever sees the key sees the job.
    assert storage.push.call_args.args[1][-1] == f"{work}/{NEWEST}"
    storage.remove.assert_called_once_with(work)


def test_a_storage_that_is_away_is_waited_for(run, server: Server, storage: Any) -> None:
    away = StorageError("the bucket is away.")
    storage.push.side_effect = [away, away, None]
    storage.listing.side_effect = [{}, away, away, *[{}] * 100]
    storage.remove.side_effect = away

    run(succeed, storage=storage)

    assert len(server.submitted) == 1


def test_a_storage_that_stays_away_costs_one_line(run, server: Server, storage: Any) -> None:
    storage.push.side_effect = StorageError("the bucket is away.")

    with pytest.raises(StageError, match=r"^[^\n]*GradMix: .*1800 s, found: the bucket is away"):
        run(succeed, storage=storage, timeouts=Timeouts(poll=10.0))

    assert server.submitted == []


def unheard(storage: Any, clock: Clock, seconds: float) -> Callable[[Run], None]:
    """A worker that goes on while the storage is away for so many seconds."""

    def happen(worker: Run) -> None:
        def back() -> None:
            storage.listing.side_effect = None
            worker.finish()

        worker.live()
        storage.listing.side_effect = StorageError("the bucket is away.")
        clock.after(seconds, back)

    return happen


def test_silence_while_the_storage_is_away_is_no_loss(
    run, server: Server, storage: Any, clock: Clock
) -> None:
    timeouts = Timeouts(outage=600.0)
    run(unheard(storage, clock, timeouts.silence + 400.0), storage=storage, timeouts=timeouts)
    assert len(server.submitted) == 1
    assert server.closed == []


def test_a_storage_that_stays_away_does_not_excuse_silence_for_ever(
    run, server: Server, storage: Any, clock: Clock
) -> None:
    timeouts = Timeouts(outage=600.0, attempts=1)
    with pytest.raises(StageError, match="no heartbeat for 120 s"):
        run(unheard(storage, clock, 10_000.0), storage=storage, timeouts=timeouts)
    assert clock.now < 5000.0 + 600.0 + timeouts.silence + 60.0
