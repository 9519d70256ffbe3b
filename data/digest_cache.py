"""Cache of SHA-256 digests, so that gigabytes of clips are hashed only once."""

import sqlite3
from contextlib import closing
from pathlib import Path

from data.fingerprint import sha256_file

FILE = "known-digests.sqlite"
TABLE = "create table if not exists digests (path primary key, size, mtime_ns, sha256)"
INSERT = "insert or replace into digests (path, size, mtime_ns, sha256) values (?, ?, ?, ?)"
SELECT = "select path, size, mtime_ns, sha256 from digests"
SAVE_EVERY = 1_000
"""Number of new digests between saves, the most an interrupt can lose."""
Seen = tuple[int, int, str]
"""Size, modification time in nanoseconds, digest."""


class KnownDigests:
    """Digests by path, recomputed if the size or modification time has changed.

    Args:
        folder: folder that keeps them between runs, once it exists; None keeps them in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder, self._new = folder, dict[str, Seen]()
        self._known = self._read()

    def sha256(self, path: Path) -> str:
        """Hex SHA-256 of a file's bytes.

        Raises:
            DataError: if the file cannot be read.
            OSError: if the file does not exist.
        """
        name, status = str(path.absolute()), path.stat()
        known = self._known.get(name)
        if known is None or known[:2] != (status.st_size, status.st_mtime_ns):
            known = (status.st_size, status.st_mtime_ns, sha256_file(path))
            self._known[name] = self._new[name] = known
            # Only at multiples: if saving fails, retrying at every further file would take seconds.
            if len(self._new) % SAVE_EVERY == 0:
                self.save()
        return known[2]

    def save(self) -> None:
        """Save new digests if the folder exists; unsaved ones are recomputed next time."""
        if self._folder is None or not self._folder.is_dir() or not self._new:
            return
        rows = [(path, *seen) for path, seen in self._new.items()]
        try:
            with closing(sqlite3.connect(self._folder / FILE)) as store, store:
                store.execute(TABLE)
                store.executemany(INSERT, rows)
        except sqlite3.OperationalError:
            # Locked by another process or in another format: not ours to remove.
            return
        except sqlite3.DatabaseError:
            (self._folder / FILE).unlink(missing_ok=True)
            return
        self._new.clear()

    def _read(self) -> dict[str, Seen]:
        if self._folder is None or not (self._folder / FILE).is_file():
            return {}
        try:
            with closing(sqlite3.connect(self._folder / FILE)) as store:
                rows = store.execute(SELECT).fetchall()
        except sqlite3.DatabaseError:
            return {}
        return {path: (size, mtime_ns, digest) for path, size, mtime_ns, digest in rows}
