"""Keeps a job's folder in sync between the submitting host and a worker that share no disk.

Each then has its own home folder, with a storage in between (`tasks.storage.remote`). If both mount
the same home folder, there is nothing to transfer.
"""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tasks.execution.attempts import ENDED, HEARTBEAT, NEWEST, SUPERSEDED, Attempt, RetiredError
from tasks.jobs.files import JOB, inputs_of
from tasks.storage.artifact_mirror import Mirror
from tasks.storage.artifacts import Store
from tasks.storage.remote import Marks, Storage, StorageError, changed, marks_of

LOOK_S = 5.0
"""Seconds between the submitter's checks."""
SEND_S = 10.0
"""Seconds between the worker's uploads."""
OUTAGE_S = 1800.0
"""How long a worker with finished work waits for the storage, in seconds."""


class SubmitterSync:
    """The submitter's side.

    Args:
        home: the submitter's home folder.
        work: folder of the job, relative to the home folder.
        storage: shared with the worker; None if the worker mounts this home folder.
    """

    def __init__(self, home: Path, work: str, storage: Storage | None) -> None:
        self._home, self._work, self._storage = home, work, storage
        self._seen: Marks = {}
        self._next = 0.0
        self._available = True

    def send(self) -> None:
        """Send the job and the checkpoint of an earlier attempt, and finally the attempt's key."""
        if self._storage is None:
            return
        paths = [path for path in _files(self._home, self._work) if not path.endswith(NEWEST)]
        paths.append(f"{self._work}/{NEWEST}")
        self._storage.push(self._home, paths)
        # Files of an earlier attempt are not marked as seen: the new one may write the same bytes.
        there = self._storage.listing(self._work)
        self._seen = {path: mark for path, mark in there.items() if path in paths}

    def receive(self) -> bool:
        """Fetch new heartbeats and figures, and at the end the outcome.

        Returns:
            Whether the storage answered at the last check.
        """
        if self._storage is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + LOOK_S
            try:
                self._fetch(self._storage)
            except StorageError:
                self._available = False
            else:
                self._available = True
        return self._available

    def _fetch(self, storage: Storage) -> None:
        now = storage.listing(self._work)
        # This host decides on the job and the current attempt.
        own = {f"{self._work}/{name}" for name in (JOB, NEWEST)}
        new = [path for path in changed(now, self._seen) if path not in own]
        # The end of the attempt is written after everything else.
        storage.pull(self._home, sorted(new, key=lambda path: path.endswith(ENDED)))
        self._seen = now

    def delete(self) -> None:
        """Delete the remote job, so that no worker continues it."""
        if self._storage is not None:
            self._storage.remove(self._work)


class WorkerSync:
    """The worker's side.

    Args:
        home: the worker's home folder.
        attempt: attempt at the job.
        storage: shared with the submitter; unused if the attempt began in this home folder.
    """

    def __init__(self, home: Path, attempt: Attempt, storage: Storage | None) -> None:
        self._home, self._attempt = home, attempt
        self._work = str(attempt.folder.relative_to(home))
        # The folder may also be left over from an attempt that was killed here.
        self._storage = None if _begun_here(attempt) else storage
        self._sent: Marks = {}
        self._next = 0.0

    def fetch(self) -> None:
        """Fetch the job and the artifacts it reads.

        Raises:
            RetiredError: if the attempt was superseded or withdrawn.
            StorageError: if an artifact is missing or damaged in the storage.
        """
        if self._storage is None:
            return
        self._check(self._storage)
        damage = Store(self._home).damage
        mirror = Mirror(self._home, self._storage, damage)
        shutil.rmtree(self._attempt.folder, ignore_errors=True)
        self._storage.pull(self._home, self._storage.listing(self._work))
        self._sent = marks_of(self._home, _files(self._home, self._work))
        for folder in sorted({_artifact(path) for path in inputs_of(self._attempt.folder)}):
            if damage(self._home / folder) and (wrong := mirror.bring(folder)):
                raise StorageError(f"expected {folder} in the storage, found: {wrong}.")

    def sync(self) -> None:
        """Send new files every few seconds, and check that the attempt is still current."""
        if self._storage is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SEND_S
        try:
            self._check(self._storage)
        except RetiredError:
            self._attempt.retire()
            return
        self._send(self._storage, last="")

    def finish(self, check: Callable[[], None] = lambda: None) -> None:
        """Send everything, the outcome last, and clean up on this host.

        Args:
            check: called while the storage is away; raises to give up.

        Raises:
            RetiredError: if the attempt was superseded or withdrawn.
        """
        if self._storage is None:
            return
        deadline = time.monotonic() + OUTAGE_S
        while True:
            try:
                self._check(self._storage)
                self._send(self._storage, last=ENDED)
                break
            except StorageError:
                # The work is done, so waiting for the storage is worth it.
                if time.monotonic() > deadline:
                    raise
                check()
                time.sleep(LOOK_S)
        shutil.rmtree(self._attempt.folder, ignore_errors=True)

    def _check(self, storage: Storage) -> None:
        """Check that the attempt is current in the storage, which a successor would use too."""
        found = storage.read(f"{self._work}/{NEWEST}")
        if found is None or json.loads(found)["key"] != self._attempt.key:
            raise RetiredError(SUPERSEDED)

    def _send(self, storage: Storage, last: str) -> None:
        now = marks_of(self._home, _files(self._home, self._work))
        now.pop(f"{self._work}/{NEWEST}", None)
        end = f"{self._work}/{last}"
        # The heartbeat goes first, as files may take minutes; the outcome goes last.
        first = f"{self._work}/{HEARTBEAT}"
        new = sorted(changed(now, self._sent), key=lambda path: (path != first, path == end))
        storage.push(self._home, new)
        self._sent = now


def _begun_here(attempt: Attempt) -> bool:
    try:
        attempt.check()
    except RetiredError:
        return False
    return True


def _files(home: Path, work: str) -> list[str]:
    """Files of a job's folder, relative to the home folder, except those being written."""
    found = (path for path in (home / work).rglob("*") if path.is_file())
    return sorted(str(path.relative_to(home)) for path in found if not path.name.startswith("."))


def _artifact(path: str) -> str:
    """Folder of the artifact that a path belongs to: `artifacts/STAGE/IDENTITY`."""
    return "/".join(path.split("/")[:3])
