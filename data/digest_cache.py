"""SHA-256 of files that are hashed once: gigabytes of clips are named by their bytes every time."""

import sqlite3
from contextlib import closing
from pathlib import Path

from data.fingerprint import sha256_file

FILE = "known-digests.sqlite"
TABLE = "create table if not exists digests (path primary key, size, mtime_ns, sha256)"
INSERT = "insert or replace into digests (path, size, mtime_ns, sha256) values (?, ?, ?, ?)"
SELECT = "select path, size, mtime_ns, sha256 from digests"
SAVE_EVERY = 1_000
"""New digests: an interrupt loses no more."""
Seen = tuple[int, int, str]
"""Size, time of the last change in nanoseconds, digest."""


class KnownDigests:
    """Digests by path, taken again where size or time of change differ.

    Args:
        folder: where they are kept between runs, once it exists; None: in memory alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder, self._new = folder, dict[str, Seen]()
        self._known = self._read()

    def sha256(self, path: Path) -> str:
        """Hex SHA-256 of a file's bytes.

        Raises:
            DataError: if the file cannot be read.
            OSError: if there is none.
        """
        name, status = str(path.absolute()), path.stat()
        known = self._known.get(name)
        if known is None or known[:2] != (status.st_size, status.st_mtime_ns):
            known = (status.st_size, status.st_mtime_ns, sha256_file(path))
            self._known[name] = self._new[name] = known
            # Not at every file from there on, where the list cannot be written: that takes seconds.
            if len(self._new) % SAVE_EVERY == 0:
                self.save()
        return known[2]

    def save(self) -> None:
        """Keep what is new, if the folder exists; what cannot be kept is taken again next time."""
        if self._folder is None or not self._folder.is_dir() or not self._new:
            return
        rows = [(path, *seen) for path, seen in self._new.items()]
        try:
            with closing(sqlite3.connect(self._folder / FILE)) as store, store:
                store.execute(TABLE)
                store.executemany(INSERT, rows)
        except sqlite3.OperationalError:
            # In use by another process, or of another form: it is not ours to remove.
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
