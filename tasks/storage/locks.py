"""Locks on files: held by one process on any host that mounts the folder, free when it ends."""

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from data.errors import UserError

NO_LOCKS = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK})
"""What a file system without `flock` answers."""


class LockError(UserError, OSError):
    """The file system has no locks: one line with what was found and what to do."""


@contextmanager
def locked(
    path: Path, waiting: Callable[[], None] = lambda: None, poll_s: float = 0.5
) -> Iterator[None]:
    """Wait for a lock and hold it; the file is removed afterwards.

    Args:
        path: of the lock file; its folder is made.
        waiting: called before every further try; what it raises ends the wait.
        poll_s: seconds between two tries.

    Raises:
        LockError: if the file system has no locks.
    """
    while (held := try_lock(path)) is None:
        waiting()
        time.sleep(poll_s)
    try:
        yield
    finally:
        unlock(path, held)


def try_lock(path: Path) -> FileLock | None:
    """Take a lock if it is free; returns what `unlock` wants, None if another holds it.

    Raises:
        LockError: if the file system has no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not the file's existence as a lock, which a killed process would leave behind.
    lock = FileLock(path, mode=0o644, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        raise LockError(
            f"expected a file system with locks (flock), found that {path.parent} is on one "
            f"without: {error.strerror}; choose a folder on another disk, or mount this one with "
            "locks (Lustre: -o flock)."
        ) from error
    return lock


def unlock(path: Path, held: FileLock) -> None:
    """Give a lock back."""
    # In this order: whoever opens the file in between sees that it is gone, and tries again.
    path.unlink(missing_ok=True)
    held.release()
