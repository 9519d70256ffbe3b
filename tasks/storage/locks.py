"""File locks: held by one process on any host that mounts the folder, released when it ends."""

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from data.errors import UserError

NO_LOCKS = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK})
"""Error numbers of file systems without `flock`."""


class LockError(UserError, OSError):
    """The file system has no locks: one line with what was found and what to do."""


@contextmanager
def locked(
    path: Path, waiting: Callable[[], None] = lambda: None, poll_s: float = 0.5
) -> Iterator[None]:
    """Wait for a lock and hold it; the file is removed afterwards.

    Args:
        path: path of the lock file; its folder is created.
        waiting: called before each retry; an exception from it ends the wait.
        poll_s: seconds between retries.

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
    """Take a lock if it is free; returns an argument for `unlock`, or None if the lock is held.

    Raises:
        LockError: if the file system has no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The file's existence is not the lock: a killed process would leave the file behind.
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
    """Release a lock."""
    # Order matters: a process that opens the file in between sees it is gone and retries.
    path.unlink(missing_ok=True)
    held.release()
