"""Mirror of finished artifacts in remote storage: fetched on demand, sent when made."""

import json
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from data.atomic import temporary_folder
from tasks.storage.remote import Storage, StorageError, inside

LAST = "result.json"
"""Lists all other files of an artifact and is sent last."""
RETRY_AFTER_S = 60.0
MISSING = f"{LAST} is not there"

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class Mirror:
    """The artifacts of a home folder, mirrored in remote storage.

    The result file is sent last, so a remote artifact without one is unfinished. A damaged remote
    artifact counts as missing until it is replaced.

    Args:
        home: the home folder.
        storage: the remote storage.
        damage: describes what is wrong with an artifact's folder; None if it is intact.
    """

    def __init__(self, home: Path, storage: Storage, damage: Callable[[Path], str | None]) -> None:
        self._home = home
        self._storage = storage
        self._damage = damage
        self._there: set[str] = set()
        self._unsent: set[str] = set()
        self._retry_at = 0.0

    def bring(self, folder: str) -> str | None:
        """Fetch an artifact atomically; returns what is wrong with the remote copy, or None.

        Raises:
            StorageError: if the storage is unreachable or denies access.
        """
        work = self._home / "work"
        work.mkdir(parents=True, exist_ok=True)
        with temporary_folder(work / "pull") as temporary:
            copy = temporary / inside(folder)
            self._storage.pull(temporary, [f"{folder}/{LAST}"])
            if not (copy / LAST).exists():
                return MISSING
            files = _files_of(copy / LAST, folder)
            if files is None:
                return f"{LAST} is damaged"
            self._storage.pull(temporary, files)
            wrong = self._damage(copy)
            if wrong is None:
                self._put_in_place(copy, self._home / folder)
                self._there.add(folder)
            return wrong

    def find(self, folder: str) -> bool:
        """Fetch an artifact if possible; an unreachable storage stops no work."""
        return self._tolerating_outages(self._find, folder) or False

    def offer(self, folder: str) -> None:
        """Send an intact artifact unless the storage has it, which is checked once per process.

        What cannot be sent now waits for `flush`.
        """
        if folder not in self._there and not self._tolerating_outages(self._offer, folder):
            self._unsent.add(folder)

    def send(self, folder: str) -> None:
        """Send a new artifact, replacing any remote copy."""
        self._there.discard(folder)
        self._unsent.add(folder)
        self.offer(folder)

    def flush(self) -> list[str]:
        """Retry pending artifacts; returns those that exist only locally."""
        self._retry_at = 0.0
        for folder in sorted(self._unsent):
            self.offer(folder)
        return sorted(self._unsent)

    def drop(self, folder: str) -> None:
        """Remove the remote copy of an artifact.

        Raises:
            StorageError: if the storage is unreachable or denies access: the artifact would be
                fetched again.
        """
        self._there.discard(folder)
        self._unsent.discard(folder)
        self._storage.remove(f"{folder}/{LAST}")
        self._storage.remove(folder)

    def _find(self, folder: str) -> bool:
        wrong = self.bring(folder)
        if wrong not in (None, MISSING):
            logger.warning("storage: %s counts as missing: %s", folder, wrong)
        return wrong is None

    def _offer(self, folder: str) -> bool:
        there = f"{folder}/{LAST}"
        if folder in self._unsent or self._storage.read(there) is None:
            names = sorted(path.name for path in (self._home / folder).iterdir())
            files = [f"{folder}/{name}" for name in names if name != LAST]
            self._storage.push(self._home, [*files, there])
        self._unsent.discard(folder)
        self._there.add(folder)
        return True

    def _put_in_place(self, copy: Path, folder: Path) -> None:
        if self._damage(folder) is None:
            return  # another process was faster
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            copy.rename(folder)
        except OSError:
            if self._damage(folder) is not None:
                raise

    def _tolerating_outages(self, act: Callable[[str], Result], folder: str) -> Result | None:
        """Limit an unreachable storage to one attempt and one warning per minute."""
        if time.monotonic() < self._retry_at:
            return None
        try:
            return act(folder)
        except StorageError as error:
            self._retry_at = time.monotonic() + RETRY_AFTER_S
            logger.warning("storage: %s Continuing without it for a minute.", error)
            return None


def _files_of(result: Path, folder: str) -> list[str] | None:
    """Paths of the files a result file lists; None if it does not belong to this folder."""
    try:
        described = json.loads(result.read_bytes())
        names = [str(name) for name in described["files"]]
        right = described["folder"] == folder and not any("/" in name for name in names)
    except (ValueError, TypeError, KeyError):
        return None
    return [f"{folder}/{name}" for name in names] if right else None
