"""Files that are there whole or not at all."""

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
"""Seconds without a change after which a temporary file counts as abandoned, whoever wrote it."""
_TEMPORARY = re.compile(
    r"\..+\.(?P<pid>\d+)-(?P<thread>\d+)(-(?P<host>[0-9a-f]{8}))?\.tmp([.-].*)?"
)


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary file's path; the file takes the place of `path` in the end, or is removed.

    Args:
        path: of the file; its folder exists.
        durable: wait until the disk has it; not worth it for what is quickly made again.

    Raises:
        OSError: if the disk does not take it.
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
    """Write a text file, in UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sync(path: Path) -> None:
    """Have the disk take a file, or what a folder lists, before what follows."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path` that is removed in the end, and swept if this is killed.

    Args:
        path: whose name it bears; its parent exists.
    """
    folder = _temporary(path)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(folders: Iterable[Path]) -> None:
    """Remove temporary files of processes that were killed; those being written stay.

    On another host a process may be alive: what it wrote is removed a day after its last change.

    Args:
        folders: that hold the files; not those below them.
    """
    for folder in folders:
        for path in folder.glob(".*.tmp*"):
            # Another command may sweep at the same time.
            with contextlib.suppress(OSError):
                if _is_left(path):
                    _remove(path)


def _temporary(path: Path) -> Path:
    # Threads, processes and hosts that write the same file keep off each other's.
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
    """A short name of where process ids mean the same, of characters that every disk takes."""
    try:
        # Containers can share a host's name, and number their processes on their own.
        space = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        space = 0
    return sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:8]
