"""Writes that could not be made: a JSON-lines file, replayed in order and as written."""

import contextlib
import fcntl
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Write = dict[str, Any]
"""One write: ``op`` names it, the other keys are its arguments; JSON values only."""


class Spool:
    """Queue of writes on disk, shared by the threads and processes of one machine.

    Args:
        path: the JSON-lines file; it exists only while writes are waiting. Beside it lie a lock
            file and ``<stem>.rejected.jsonl`` with the writes that the store refused for good.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rejected = path.with_name(f"{path.stem}.rejected.jsonl")
        self._lock = path.with_name(f"{path.name}.lock")

    def pending(self) -> bool:
        """Whether any write is waiting."""
        return self.path.exists()

    def append(self, write: Write) -> None:
        """Adds one write at the end."""
        with self._locked():
            _append(self.path, write)

    def reject(self, write: Write, reason: str) -> None:
        """Keeps a write that no retry can save, with the store's reason."""
        _append(self.rejected, {**write, "reason": reason})

    def drain(self, make: Callable[[Write], object]) -> int:
        """Makes the waiting writes in order; stops at the first one that raises.

        A kill in the middle leaves the file as it was, so ``make`` sees some writes twice:
        each write has to be harmless when repeated.

        Args:
            make: makes one write.

        Returns:
            How many writes were made and removed.

        Raises:
            Exception: whatever ``make`` raises; that write and all later ones stay in the file.
        """
        with self._locked():
            lines = self.path.read_text("utf-8").splitlines() if self.pending() else []
            done = 0
            try:
                for line in lines:
                    self._make_line(line, make)
                    done += 1
            finally:
                self._keep(lines[done:])
        return done

    def _make_line(self, line: str, make: Callable[[Write], object]) -> None:
        try:
            write = json.loads(line)
        except json.JSONDecodeError as error:
            self.reject({"op": "unreadable", "line": line}, str(error))
            return
        make(write)

    def _keep(self, lines: list[str]) -> None:
        if not lines:
            self.path.unlink(missing_ok=True)
            return
        fresh = self.path.with_name(f"{self.path.name}.new")
        fresh.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        fresh.replace(self.path)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)  # freed when the file closes, also by a kill
            yield


def _append(path: Path, write: Write) -> None:
    line = json.dumps(write, sort_keys=True)
    with path.open("a", encoding="utf-8") as handle:
        handle.write(f"{line}\n")
