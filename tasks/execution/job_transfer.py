"""A job's folder between the host that asks and the host that works, where these share no disk.

Both have a home folder of their own then, and a storage in between (`tasks.storage.remote`).
Where they mount one home folder, there is nothing to carry.
"""

import json
import shutil
import time
from pathlib import Path

from tasks.execution.attempts import ENDED, NEWEST, PULSE, Attempt, RetiredError
from tasks.jobs.files import JOB, inputs_of
from tasks.storage.artifact_mirror import Mirror
from tasks.storage.artifacts import Store
from tasks.storage.remote import Marks, Storage, StorageError, changed, marks_of

LOOK_S = 5.0
"""Seconds between two looks of who asks."""
SEND_S = 10.0
"""Seconds between two parcels of who works."""
OUTAGE_S = 1800.0
"""Seconds that finished work waits for the storage."""


class Asking:
    """The asker's side.

    Args:
        home: its home folder.
        work: the job's folder, relative to it.
        storage: in between; None: the worker mounts this home folder.
    """

    def __init__(self, home: Path, work: str, storage: Storage | None) -> None:
        self._home, self._work, self._storage = home, work, storage
        self._seen: Marks = {}
        self._next = 0.0
        self._sees = True

    def hand_over(self) -> None:
        """Send the job, and the checkpoint of an earlier attempt; the attempt's key at last."""
        if self._storage is None:
            return
        paths = [path for path in _files(self._home, self._work) if not path.endswith(NEWEST)]
        paths.append(f"{self._work}/{NEWEST}")
        self._storage.push(self._home, paths)
        # Not what an earlier attempt has left there: the new one may leave the very same bytes.
        there = self._storage.listing(self._work)
        self._seen = {path: mark for path, mark in there.items() if path in paths}

    def look(self) -> bool:
        """Bring what is new: signs of life, figures, and in the end everything.

        Returns:
            Whether the storage could be looked into the last time that it was tried.
        """
        if self._storage is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + LOOK_S
            try:
                self._bring(self._storage)
            except StorageError:
                self._sees = False
            else:
                self._sees = True
        return self._sees

    def _bring(self, storage: Storage) -> None:
        now = storage.listing(self._work)
        # The job, whose digest the next attempt is given, and who works on it are decided here.
        own = {f"{self._work}/{name}" for name in (JOB, NEWEST)}
        new = [path for path in changed(now, self._seen) if path not in own]
        # Word of the end comes after what it is about.
        storage.pull(self._home, sorted(new, key=lambda path: path.endswith(ENDED)))
        self._seen = now

    def take_away(self) -> None:
        """Let nobody work on it any more."""
        if self._storage is not None:
            self._storage.remove(self._work)


class Working:
    """The worker's side.

    Args:
        home: its home folder.
        attempt: at the job.
        storage: in between; None, or an attempt that began in this home folder: nothing to carry.
    """

    def __init__(self, home: Path, attempt: Attempt, storage: Storage | None) -> None:
        self._home, self._attempt = home, attempt
        self._work = str(attempt.folder.relative_to(home))
        # Not by the folder alone: an attempt that was killed here has left one.
        self._storage = None if _begun_here(attempt) else storage
        self._sent: Marks = {}
        self._next = 0.0

    def fetch(self) -> None:
        """Bring the job and the artifacts that it reads.

        Raises:
            RetiredError: if a newer attempt, or none, is wanted.
            StorageError: if one is missing or damaged there.
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

    def tell(self) -> None:
        """Send what is new, at times, and learn whether the attempt is still wanted."""
        if self._storage is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SEND_S
        try:
            self._check(self._storage)
        except RetiredError:
            self._attempt.retire()
            return
        self._send(self._storage, last="")

    def finish(self) -> None:
        """Send everything, word of the end at last, and clean up here.

        Raises:
            RetiredError: if a newer attempt, or none, is wanted.
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
                # The work is done: it is worth a wait.
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOOK_S)
        shutil.rmtree(self._attempt.folder, ignore_errors=True)

    def _check(self, storage: Storage) -> None:
        """Go on only while the attempt counts for who asks: its successor writes there as well."""
        found = storage.read(f"{self._work}/{NEWEST}")
        if found is None or json.loads(found)["key"] != self._attempt.key:
            raise RetiredError("another attempt at this job, or none, is wanted.")

    def _send(self, storage: Storage, last: str) -> None:
        now = marks_of(self._home, _files(self._home, self._work))
        now.pop(f"{self._work}/{NEWEST}", None)
        end = f"{self._work}/{last}"
        # A sign of life goes before what may take minutes, word of the end after everything.
        first = f"{self._work}/{PULSE}"
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
    """Files of a job's folder, relative to the home folder; none that is being written."""
    found = (path for path in (home / work).rglob("*") if path.is_file())
    return sorted(str(path.relative_to(home)) for path in found if not path.name.startswith("."))


def _artifact(path: str) -> str:
    """The artifact's folder that a path lies in: `artifacts/STAGE/IDENTITY`."""
    return "/".join(path.split("/")[:3])
