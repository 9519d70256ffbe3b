"""Atomic file writes: a file appears complete or not at all."""

import contextlib
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

ABANDONED_S = 86_400.0
"""Seconds without a change after which any temporary file counts as abandoned."""
_TEMPORARY = re.compile(
    r"\..+\.(?P<pid>\d+)-(?P<thread>\d+)(-(?P<host>[0-9a-f]{8}))?\.tmp([.-].*)?"
)


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path; on success its file replaces `path`, otherwise it is removed.

    Args:
        path: path of the file; its folder must exist.
        durable: whether to flush the file to disk; unnecessary if it is cheap to recreate.

    Raises:
        OSError: if the file cannot be written.
    """
    temporary = _temporary(path)
    try:
        yield temporary
        if durable:
            sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sync(path: Path) -> None:
    """Flush a file, or a folder's entries, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Create a folder beside `path`, removed on exit; `sweep` finds it if the process is killed.

    Args:
        path: path that the folder is named after; its parent must exist.
    """
    folder = _temporary(path)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(folders: Iterable[Path]) -> None:
    """Remove temporary files of killed processes, but not files being written.

    A process on another host may still be alive, so its files are removed a day after their last
    change.

    Args:
        folders: folders to sweep, without their subfolders.
    """
    for folder in folders:
        for path in folder.glob(".*.tmp*"):
            # Another command may sweep at the same time.
            with contextlib.suppress(OSError):
                if _is_left(path):
                    _remove(path)


def _temporary(path: Path) -> Path:
    # Distinct for threads, processes and hosts that write the same file.
    writer = f"{os.getpid()}-{threading.get_native_id()}-{_host()}"
    return path.with_name(f".{path.name}.{writer}.tmp")


def _is_left(path: Path) -> bool:
    found = _TEMPORARY.fullmatch(path.name)
    if found is None:
        return False
    if found["host"] == _host() and not _is_alive(int(found["pid"])):
        return True
    return time.time() - path.stat().st_mtime > ABANDONED_S


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _host() -> str:
    """A short, file-name-safe ID of the namespace of process IDs."""
    try:
        # Containers can share a host name but have separate process IDs.
        space = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        space = 0
    return sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:8]
