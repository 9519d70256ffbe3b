"""Jobs on the workers of a fleet: handed over, followed, and handed over again if one is lost."""

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from data.fingerprint import sha256_file
from tasks.errors import StageError
from tasks.execution.attempts import Attempt, Ended, Pulse
from tasks.execution.job_transfer import Asking
from tasks.execution.prefect_runs import UNFINISHED, Dispatch, RunState
from tasks.execution.progress import Follower
from tasks.jobs.__main__ import REJECTED
from tasks.jobs.files import JOB
from tasks.storage.artifacts import Store
from tasks.storage.remote import Storage, StorageError

LOST = 1000
"""In place of an exit code: the attempt left no word."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


class AwayError(RuntimeError):
    """The server does not answer now."""


@dataclass(frozen=True)
class Patience:
    """Limits, in seconds except `attempts`.

    Attributes:
        attempts: at a job in all.
        poll: between two looks at the files.
        ask: between two questions to the server.
        start: from a worker's taking a job to its first sign of life.
        silence: between two signs of life.
        grace: for files of a run that has ended to be seen here.
        outage: for server and storage to come back.
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
        dispatch: to the workers.
        store: of the home folder; what it has yet to send to the storage goes before a job.
        tags: of every flow run.
        storage: between this host's home folder and the workers'; None: they mount this one.
        patience: limits.
    """

    dispatch: Dispatch
    store: Store
    tags: tuple[str, ...] = ()
    storage: Storage | None = None
    patience: Patience = field(default_factory=Patience)

    def run(self, name: str, folder: Path, follower: Follower) -> None:
        """Have a worker run a job; returns when its outcome is there.

        Raises:
            StageError: if the job was refused, or every attempt was lost.
            SlotsStoppedError: if the run was stopped; the worker stops as well.
        """
        ended = Ended("")
        for _ in range(self.patience.attempts):
            ended = self._attempt(name, Attempt.begin(folder), follower)
            if ended.exit_code == 0:
                return
            if ended.exit_code == REJECTED:
                raise StageError(f"{follower.label}: {ended.message}")
            logger.warning("%s: lost an attempt: %s", follower.label, ended.message)
        raise StageError(
            f"{follower.label}: expected a worker to finish it, lost {self.patience.attempts} "
            f"attempts, the last because: {ended.message}"
        )

    def stop(self) -> None:
        """Nothing waits here for long: the follower of every job raises, which cancels its run."""

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
        asking = Asking(home, work, self.storage)
        run, ended = None, None

        def hand_over() -> None:
            # What the job reads may have been made while the storage was away.
            self.store.flush()
            asking.hand_over()

        try:
            self._retried(hand_over, label, follower)
            run = self._submit(parameters, follower)
            ended = self._wait(run, attempt, asking, follower)
        finally:
            attempt.retire()
            with contextlib.suppress(StorageError):
                asking.take_away()
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
                raise AwayError("Prefect's server is away.")
            return run

        return self._retried(submit, label, follower)

    def _retried(self, action: Callable[[], T], label: str, follower: Follower) -> T:
        """Try until the server and the storage are there."""
        deadline = time.monotonic() + self.patience.outage
        while True:
            try:
                return action()
            except (AwayError, StorageError) as error:
                if time.monotonic() > deadline:
                    raise StageError(
                        f"{label}: expected server and storage to answer within "
                        f"{self.patience.outage:g} s, found: {error}; the same command goes on."
                    ) from error
            follower.poll()
            time.sleep(self.patience.poll)

    def _wait(self, run: str, attempt: Attempt, asking: Asking, follower: Follower) -> Ended:
        watch = _Watch(self.dispatch, run, self.patience)
        heard = False
        while True:
            watch.hear(deaf=not asking.look())
            follower.poll()
            ended, pulse = attempt.ended(), attempt.pulse()
            if ended is not None:
                follower.poll()
                return ended
            if pulse is not None and not heard:
                heard = True
                follower.start(pulse.slot)
            reason = watch.lost(pulse)
            if reason:
                # It may have left word in between.
                return attempt.ended() or Ended(attempt.key, LOST, reason)
            time.sleep(self.patience.poll)


class _Watch:
    """Tells when an attempt is lost; by this host's steady clock, whatever the others say."""

    def __init__(self, dispatch: Dispatch, run: str, patience: Patience) -> None:
        self._dispatch, self._run, self._patience = dispatch, run, patience
        self._beat = -1
        self._heard = self._asked = time.monotonic()
        self._state = RunState("SCHEDULED")
        self._over: float | None = None
        self._deaf: float | None = None

    def hear(self, *, deaf: bool) -> None:
        """Whether signs of life can be heard: while the storage is away, silence says nothing.

        Not for ever: by then nobody who has finished waits for it any more.
        """
        now = time.monotonic()
        self._deaf = (now if self._deaf is None else self._deaf) if deaf else None
        if self._deaf is not None and now - self._deaf < self._patience.outage:
            self._heard = now

    def lost(self, pulse: Pulse | None) -> str:
        """Why the attempt is lost; empty while it is not."""
        now, patience = time.monotonic(), self._patience
        if pulse is not None and pulse.beat != self._beat:
            self._beat, self._heard = pulse.beat, now
        if pulse is not None and pulse.gone:
            return f"its process {pulse.process.pid} on {pulse.host} is gone"
        if now - self._asked > patience.ask:
            self._ask(now)
        if self._over is not None and now - self._over > patience.grace:
            kind, said = self._state
            return f"its flow run is {kind.lower()} ({said or 'no message'}) and left no word"
        limit = patience.start if self._beat < 0 else patience.silence
        if self._state.type != "SCHEDULED" and now - self._heard > limit:
            return f"no sign of life for {limit:g} s"
        return ""

    def _ask(self, now: float) -> None:
        self._asked = now
        state = self._dispatch.state(self._run)
        if state is None or state.type == self._state.type:
            return
        if self._state.type == "SCHEDULED":
            # Until now it waited for a worker, which may take hours.
            self._heard = now
        self._state = state
        self._over = None if state.type in UNFINISHED else now
