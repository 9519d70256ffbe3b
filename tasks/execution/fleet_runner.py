"""Runs jobs on the workers of a fleet, and resubmits those that are lost."""

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from data.fingerprint import sha256_file
from tasks.errors import StageError
from tasks.execution.attempts import Attempt, Ended, Heartbeat
from tasks.execution.job_transfer import SubmitterSync
from tasks.execution.prefect_runs import UNFINISHED, Dispatch, RunState
from tasks.execution.progress import Follower
from tasks.jobs.__main__ import REJECTED
from tasks.jobs.files import JOB
from tasks.storage.artifacts import Store
from tasks.storage.remote import Storage, StorageError

LOST = 1000
"""Exit code of an attempt that ended without an outcome."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


class ServerAwayError(RuntimeError):
    """The server is not answering."""


@dataclass(frozen=True)
class Timeouts:
    """Limits, in seconds except `attempts`.

    Attributes:
        attempts: maximum number of attempts at a job.
        poll: interval between checks of the files.
        ask: interval between requests to the server.
        start: from the start of a job on a worker to its first heartbeat.
        silence: between heartbeats.
        grace: for the files of a finished run to arrive on this host.
        outage: for the server and the storage to come back.
    """

    attempts: int = 3
    poll: float = 0.5
    ask: float = 10.0
    start: float = 180.0
    silence: float = 120.0
    grace: float = 10.0
    outage: float = 1800.0


@dataclass(frozen=True)
class FleetRunner:
    """A `JobRunner` on the workers of a fleet.

    Attributes:
        dispatch: submits jobs to the workers.
        store: artifacts of the home folder; those not yet in the storage are sent before a job.
        tags: tags of every flow run.
        storage: shared with the workers; None if they mount this home folder.
        timeouts: time limits.
    """

    dispatch: Dispatch
    store: Store
    tags: tuple[str, ...] = ()
    storage: Storage | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)

    def run(self, name: str, folder: Path, follower: Follower) -> None:
        """Run a job on a worker; returns once its outcome exists.

        Raises:
            StageError: if the job was rejected, or every attempt was lost.
            SlotsStoppedError: if the run was stopped; the worker is stopped too.
        """
        ended = Ended("")
        for _ in range(self.timeouts.attempts):
            ended = self._attempt(name, Attempt.begin(folder), follower)
            if ended.exit_code == 0:
                return
            if ended.exit_code == REJECTED:
                raise StageError(f"{follower.label}: {ended.message}")
            logger.warning("%s: lost an attempt: %s", follower.label, ended.message)
        raise StageError(
            f"{follower.label}: expected a worker to finish it, lost {self.timeouts.attempts} "
            f"attempts, the last because: {ended.message}"
        )

    def stop(self) -> None:
        """Do nothing: each job's follower raises, which cancels its run."""

    def _attempt(self, name: str, attempt: Attempt, follower: Follower) -> Ended:
        home, label = self.store.home, follower.label
        work = str(attempt.folder.relative_to(home))
        parameters = {
            "name": name,
            "work": work,
            "label": label,
            "key": attempt.key,
            "digest": sha256_file(attempt.folder / JOB),
        }
        submitter = SubmitterSync(home, work, self.storage)
        run, ended = None, None

        def send() -> None:
            # The job may read artifacts made during an outage of the storage.
            self.store.flush()
            submitter.send()

        try:
            self._retried(send, label, follower)
            run = self._submit(parameters, follower)
            ended = self._wait(run, attempt, submitter, follower)
        finally:
            attempt.retire()
            with contextlib.suppress(StorageError):
                submitter.delete()
            if run is not None and ended is None:
                self.dispatch.close(run, "CANCELLED", "The reproduction was stopped.")
        if ended.exit_code == LOST:
            self.dispatch.close(run, "CRASHED", ended.message)
        return ended

    def _submit(self, parameters: dict[str, str], follower: Follower) -> str:
        label = parameters["label"]

        def submit() -> str:
            run = self.dispatch.submit(parameters, parameters["key"], label, self.tags)
            if run is None:
                raise ServerAwayError("Prefect's server does not answer.")
            return run

        return self._retried(submit, label, follower)

    def _retried(self, action: Callable[[], T], label: str, follower: Follower) -> T:
        """Retry until the server and the storage answer."""
        deadline = time.monotonic() + self.timeouts.outage
        while True:
            try:
                return action()
            except (ServerAwayError, StorageError) as error:
                if time.monotonic() > deadline:
                    raise StageError(
                        f"{label}: expected server and storage to answer within "
                        f"{self.timeouts.outage:g} s, found: {error}; run the same command again."
                    ) from error
            follower.poll()
            time.sleep(self.timeouts.poll)

    def _wait(
        self, run: str, attempt: Attempt, submitter: SubmitterSync, follower: Follower
    ) -> Ended:
        watch = _Watch(self.dispatch, run, self.timeouts)
        started = False
        while True:
            watch.heartbeat(storage_available=submitter.receive())
            follower.poll()
            ended, heartbeat = attempt.ended(), attempt.heartbeat()
            if ended is not None:
                follower.poll()
                return ended
            if heartbeat is not None and not started:
                started = True
                follower.start(heartbeat.slot)
            reason = watch.lost(heartbeat)
            if reason:
                # It may have ended since.
                return attempt.ended() or Ended(attempt.key, LOST, reason)
            time.sleep(self.timeouts.poll)


class _Watch:
    """Decides when an attempt is lost, using only this host's monotonic clock."""

    def __init__(self, dispatch: Dispatch, run: str, timeouts: Timeouts) -> None:
        self._dispatch, self._run, self._timeouts = dispatch, run, timeouts
        self._beat = -1
        self._heard = self._asked = time.monotonic()
        self._state = RunState("SCHEDULED")
        self._over: float | None = None
        self._storage_lost: float | None = None

    def heartbeat(self, *, storage_available: bool) -> None:
        """Note whether heartbeats can arrive: during a storage outage, silence proves nothing.

        This holds for `outage` seconds, after which a finished worker gives up too.
        """
        now = time.monotonic()
        if storage_available:
            self._storage_lost = None
            return
        self._storage_lost = now if self._storage_lost is None else self._storage_lost
        if now - self._storage_lost < self._timeouts.outage:
            self._heard = now

    def lost(self, heartbeat: Heartbeat | None) -> str:
        """Why the attempt counts as lost; empty if it does not."""
        now, timeouts = time.monotonic(), self._timeouts
        if heartbeat is not None and heartbeat.beat != self._beat:
            self._beat, self._heard = heartbeat.beat, now
        if heartbeat is not None and heartbeat.gone:
            return f"its process {heartbeat.process.pid} on {heartbeat.host} is gone"
        if now - self._asked > timeouts.ask:
            self._ask(now)
        if self._over is not None and now - self._over > timeouts.grace:
            kind, said = self._state
            return f"its flow run is {kind.lower()} ({said or 'no message'}) and wrote no outcome"
        limit = timeouts.start if self._beat < 0 else timeouts.silence
        if self._state.type != "SCHEDULED" and now - self._heard > limit:
            return f"no heartbeat for {limit:g} s"
        return ""

    def _ask(self, now: float) -> None:
        self._asked = now
        state = self._dispatch.state(self._run)
        if state is None or state.type == self._state.type:
            return
        if self._state.type == "SCHEDULED":
            # It was waiting for a worker until now, which may take hours.
            self._heard = now
        self._state = state
        self._over = None if state.type in UNFINISHED else now
