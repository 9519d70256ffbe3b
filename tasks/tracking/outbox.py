"""Sends writes to a store that may be away: what cannot be sent now waits in order on disk."""

import logging
import threading
import time
from collections.abc import Callable

from tasks.tracking.spool import Spool, Write

RETRY_AFTER_S = 60.0

logger = logging.getLogger(__name__)


class RefusedError(RuntimeError):
    """The store refuses this write; no retry changes that."""


class Outbox:
    """Sends writes one at a time and in order; no failure of the store reaches the caller.

    Args:
        store: name of the store in warnings.
        send: makes one write and returns the id that the store gave, if any; raises
            ``RefusedError`` to have the write set aside, anything else to have it wait. A write
            may be sent again after a failure, so it has to be harmless when repeated.
        spool: where writes wait. After a failure they wait for at least a minute, so that a store
            that is away costs one attempt a minute and not one a write.
    """

    def __init__(self, store: str, send: Callable[[Write], str | None], spool: Spool) -> None:
        self._store = store
        self._send = send
        self._spool = spool
        self._lock = threading.RLock()
        self._retry_at = 0.0
        self._warned: set[str] = set()

    def write(self, write: Write) -> str | None:
        """Send or keep one write; returns the id that the store gave, None if it gave none."""
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
        """Send the waiting writes now; returns whether none waits any more."""
        with self._lock:
            self._retry_at = 0.0
            return self._is_open()

    def pause(self, error: Exception) -> None:
        """Stop sending for a while because of a failure; warns once in an outage."""
        self._retry_at = time.monotonic() + RETRY_AFTER_S
        found = f"cannot write to {self._store} ({first_line(error)})"
        self._warn("outage", f"{found}; keeping records in {self._spool.path} until it is back")

    def _is_open(self) -> bool:
        """Whether a write can be sent: the store is not known to be away, and none waits before."""
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
            self._spool.reject(write, str(error))
            reason = f"{self._store} refused {write.get('op')}: {first_line(error)}"
            self._warn(reason, f"{reason}; kept in {self._spool.rejected}")
            return None

    def _warn(self, key: str, message: str) -> None:
        if key not in self._warned:
            self._warned.add(key)
            logger.warning("tracking: %s", message)


def first_line(error: Exception) -> str:
    """The first line of an error's message, at most 200 characters."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
