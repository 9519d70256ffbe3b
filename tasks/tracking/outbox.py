"""Sends writes to a store that may be unreachable, and queues on disk what cannot be sent now."""

import json
import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from data.atomic import write_atomically
from tasks.errors import first_line
from tasks.redaction import redacted
from tasks.storage.locks import locked

RETRY_AFTER_S = 60.0

Write = dict[str, Any]
"""One write: ``op`` names it, the other keys are its arguments; JSON values only."""

logger = logging.getLogger(__name__)


class RefusedError(RuntimeError):
    """The store rejected this write, and retrying is useless."""


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
        """Append one write."""
        with self._locked():
            _append(self.path, write)

    def reject(self, write: Write, reason: str) -> None:
        """Set aside a write for which a retry is useless, with the store's reason."""
        _append(self.rejected, {**write, "reason": reason})

    def drain(self, make: Callable[[Write], object]) -> int:
        """Make the waiting writes in order, stopping at the first one that raises.

        A kill midway leaves the file unchanged, so ``make`` sees some writes twice: each write must
        be harmless when repeated.

        Args:
            make: makes one write.

        Returns:
            Number of writes made and removed.

        Raises:
            Exception: any that ``make`` raises; that write and all later ones stay in the file.
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
        write_atomically(self.path, "".join(f"{line}\n" for line in lines))

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self._lock, poll_s=0.01)


class Outbox:
    """Sends writes one at a time and in order; no failure of the store reaches the caller.

    Args:
        store: name of the store in warnings.
        send: makes one write and returns the id given by the store, if any; raises
            ``RefusedError`` to have the write set aside, anything else to have it wait. A write
            may be sent again after a failure, so it must be harmless when repeated.
        spool: queue of waiting writes. After a failure they wait for at least a minute, so that an
            unreachable store costs one attempt per minute rather than per write.
    """

    def __init__(self, store: str, send: Callable[[Write], str | None], spool: Spool) -> None:
        self._store = store
        self._send = send
        self._spool = spool
        self._lock = threading.RLock()
        self._retry_at = 0.0
        self._warned: set[str] = set()

    def write(self, write: Write) -> str | None:
        """Send or keep one write; returns the id given by the store, if any."""
        with self._lock:
            if self._is_open():
                try:
                    return self._send_or_reject(write)
                except Exception as error:
                    self.pause(error)
            try:
                self._spool.append(write)
            except OSError as error:
                self._warn("spool", f"a record is lost: cannot write {self._spool.path}: {error}")
            return None

    def flush(self) -> bool:
        """Send the waiting writes now; returns whether none are left."""
        with self._lock:
            self._retry_at = 0.0
            return self._is_open()

    def pause(self, error: Exception) -> None:
        """Stop sending for a while after a failure; warns once per outage."""
        self._retry_at = time.monotonic() + RETRY_AFTER_S
        found = f"cannot write to {self._store} ({first_line(error)})"
        self._warn("outage", f"{found}; keeping records in {self._spool.path} until it is back")

    def _is_open(self) -> bool:
        """Whether a write can be sent now: no outage is known, and no earlier write is waiting."""
        if time.monotonic() < self._retry_at:
            return False
        if self._spool.pending():
            try:
                sent = self._spool.drain(self._send_or_reject)
            except Exception as error:
                self.pause(error)
                return False
            logger.info("%s is back: %d waiting records sent", self._store, sent)
            self._warned.clear()
        return True

    def _send_or_reject(self, write: Write) -> str | None:
        try:
            return self._send(write)
        except RefusedError as error:
            self._spool.reject(write, redacted(str(error)))
            reason = f"{self._store} refused {write.get('op')}: {first_line(error)}"
            self._warn(reason, f"{reason}; kept in {self._spool.rejected}")
            return None

    def _warn(self, key: str, message: str) -> None:
        if key not in self._warned:
            self._warned.add(key)
            logger.warning("tracking: %s", message)


def _append(path: Path, write: Write) -> None:
    line = json.dumps(write, sort_keys=True)
    with path.open("a", encoding="utf-8") as handle:
        handle.write(f"{line}\n")
