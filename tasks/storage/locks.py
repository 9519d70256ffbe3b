"""Locks on files: held by one process on any host that mounts the folder, free when it ends."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(
    path: Path, waiting: Callable[[], None] = lambda: None, poll_s: float = 0.5
) -> Iterator[None]:
    """Wait for a lock and hold it; the file is removed afterwards.

    Args:
        path: of the lock file; its folder is made.
        waiting: called before every further try; what it raises ends the wait.
        poll_s: seconds between two tries.
    """
    while (descriptor := try_lock(path)) is None:
        waiting()
        time.sleep(poll_s)
    try:
        yield
    finally:
        unlock(path, descriptor)


def try_lock(path: Path) -> int | None:
    """Take a lock if it is free; returns what `unlock` wants, None if another holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its last holder removes the file: a lock on one that is gone keeps nobody out.
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def unlock(path: Path, descriptor: int) -> None:
    """Give a lock back."""
    # In this order: whoever opens the file in between sees that it is gone, and tries again.
    path.unlink(missing_ok=True)
    os.close(descriptor)
