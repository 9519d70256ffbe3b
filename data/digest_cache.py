"""Cache of SHA-256 digests, so that gigabytes of clips are hashed only once."""

import os
import sqlite3
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from data.fingerprint import sha256_file

FILE = "known-digests.sqlite"
TABLE = "create table if not exists digests (path primary key, size, mtime_ns, sha256)"
INSERT = "insert or replace into digests (path, size, mtime_ns, sha256) values (?, ?, ?, ?)"
SELECT = "select path, size, mtime_ns, sha256 from digests"
SAVE_EVERY = 1_000
"""Number of new digests between saves, the most an interrupt can lose."""
_AT_ONCE = 32
"""Files that a thread takes at once: handing over a small one costs more than reading it."""
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
        key = _key(path)
        known, stamp = self._known.get(key), _stamp(key)
        if known is None or known[:2] != stamp:
            known = (*stamp, sha256_file(path))
            self._note(key, known)
        return known[2]

    def take(self, root: Path, names: Iterable[str]) -> list[str]:
        """Digests of many files, in their order, taken in as many threads as there are cores.

        Args:
            root: folder that the names are relative to.
            names: paths of the files, with `/`.

        Raises:
            DataError: if a file cannot be read.
            OSError: if there is none.
        """
        # Text, as paths are slow for 10,000 files.
        above = _key(root).rstrip("/")
        keys = [f"{above}/{name}" for name in names]
        stamps = {key: _stamp(key) for key in keys}
        new = [key for key, stamp in stamps.items() if self._known.get(key, ())[:2] != stamp]
        parts = [new[start : start + _AT_ONCE] for start in range(0, len(new), _AT_ONCE)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for part, digests in zip(parts, pool.map(_digests, parts), strict=True):
                for key, digest in zip(part, digests, strict=True):
                    self._note(key, (*stamps[key], digest))
        return [self._known[key][2] for key in keys]

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

    def _note(self, name: str, seen: Seen) -> None:
        self._known[name] = self._new[name] = seen
        # Not at every file from there on, where the list cannot be written: that takes seconds.
        if len(self._new) % SAVE_EVERY == 0:
            self.save()

    def _read(self) -> dict[str, Seen]:
        if self._folder is None or not (self._folder / FILE).is_file():
            return {}
        try:
            with closing(sqlite3.connect(self._folder / FILE)) as store:
                rows = store.execute(SELECT).fetchall()
        except sqlite3.DatabaseError:
            return {}
        return {path: (size, mtime_ns, digest) for path, size, mtime_ns, digest in rows}


def _digests(names: Sequence[str]) -> list[str]:
    return [sha256_file(Path(name)) for name in names]


def _key(path: Path) -> str:
    return str(path.absolute())


def _stamp(name: str) -> tuple[int, int]:
    """What changes with a file: size, and time of the last change. Taken before its digest."""
    status = os.stat(name)  # noqa: PTH116 - faster for 10,000 files
    return status.st_size, status.st_mtime_ns
