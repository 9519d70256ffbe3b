"""Locks on files: one holder among all processes, and none that a killed process leaves behind."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.storage.locks import LockError, locked, try_lock, unlock

HOLD = """
import sys, time
from pathlib import Path
from tasks.storage.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
# Reads and writes again what others write as well: without a lock, counts are lost.
COUNT = """
import sys, time
from pathlib import Path
from tasks.storage.locks import locked
lock, file = Path(sys.argv[1]), Path(sys.argv[2])
for _ in range(40):
    with locked(lock, poll_s=0.0005):
        found = int(file.read_text())
        time.sleep(0.0002)
        file.write_text(str(found + 1))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "one"


@contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock until the context ends."""
    command = [sys.executable, "-P", "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_lock_makes_its_folder_and_leaves_no_file(path: Path) -> None:
    with locked(path):
        assert path.exists()

    assert list(path.parent.iterdir()) == []


def test_a_lock_that_another_process_holds_is_free_once_that_is_killed(path: Path) -> None:
    with another_process(path) as other:
        assert try_lock(path) is None
        other.kill()
        other.wait()
        # The file is still there; a lock is not a file that somebody must clean up.
        assert path.exists()

        descriptor = try_lock(path)

    assert descriptor is not None
    unlock(path, descriptor)
    assert not path.exists()


def test_a_waiter_gets_the_lock_of_a_process_that_is_killed_meanwhile(path: Path) -> None:
    tries: list[float] = []
    with another_process(path) as other:

        def waiting() -> None:
            tries.append(time.monotonic())
            if len(tries) == 3:
                other.kill()
                other.wait()

        with locked(path, waiting, poll_s=0.001):
            pass

    assert len(tries) == 3


def test_what_the_waiter_raises_ends_the_wait_and_leaves_the_holder_alone(path: Path) -> None:
    def stop() -> None:
        raise ZeroDivisionError

    with locked(path):
        with pytest.raises(ZeroDivisionError), locked(path, stop):
            pytest.fail("two holders")

        assert path.exists()
        assert try_lock(path) is None


def test_an_error_of_the_holder_gives_the_lock_back(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(path):
        raise ZeroDivisionError

    with locked(path, lambda: pytest.fail("it was free")):
        pass


def test_threads_of_one_process_keep_each_other_out(path: Path) -> None:
    inside: list[int] = []
    overlaps: list[int] = []

    def work(number: int) -> None:
        with locked(path, poll_s=0.001):
            overlaps.extend(inside)
            inside.append(number)
            time.sleep(0.002)
            inside.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert overlaps == []


def test_processes_that_count_together_lose_nothing(path: Path, tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    command = [sys.executable, "-P", "-c", COUNT, str(path), str(tmp_path / "count")]

    processes = [subprocess.Popen(command) for _ in range(4)]

    assert [process.wait(60) for process in processes] == [0] * 4
    assert (tmp_path / "count").read_text() == "160"


# The file is removed by its holder, between another's opening and locking it.


@pytest.mark.parametrize("taken_again", [False, True])
def test_a_lock_on_a_file_that_is_gone_is_none(
    path: Path, monkeypatch: pytest.MonkeyPatch, taken_again: bool
) -> None:
    holder = try_lock(path)
    assert holder is not None
    flock, next_holders = fcntl.flock, []

    def later(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        unlock(path, holder)
        if taken_again:
            next_holders.append(try_lock(path))
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", later)

    assert try_lock(path) is None

    if taken_again:
        [other] = next_holders
        assert other is not None
        assert try_lock(path) is None, "two holders"
        unlock(path, other)
    assert try_lock(path) is not None


def test_the_file_is_gone_before_the_lock_is_free(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In the other order it might be the next holder's file that is removed.
    descriptor, there, flock = try_lock(path), [], fcntl.flock
    assert descriptor is not None
    with monkeypatch.context() as watched:
        watched.setattr(fcntl, "flock", lambda *words: (there.append(path.exists()), flock(*words)))
        unlock(path, descriptor)

    assert there == [False]


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files in /proc")
def test_a_try_that_fails_leaves_no_file_open(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with locked(path):
        before = open_files()
        assert try_lock(path) is None
        assert open_files() == before

    def broken(*_: object) -> None:
        raise OSError(37, "No locks available")

    before = open_files()
    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(LockError, match="No locks available"):
        try_lock(path)
    assert open_files() == before


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_file_system_without_locks_is_said_and_not_replaced_by_a_weaker_lock(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def missing(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", missing)

    with pytest.raises(LockError) as caught:
        try_lock(path)

    assert str(caught.value) == (
        f"expected a file system with locks (flock), found that {path.parent} is on one without: "
        f"{os.strerror(number)}; choose a folder on another disk, or mount this one with locks "
        "(Lustre: -o flock)."
    )


def test_another_error_is_no_missing_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", broken)

    with pytest.raises(OSError, match="Input/output error") as caught:
        try_lock(path)
    assert not isinstance(caught.value, LockError)


def test_a_child_that_outlives_the_holder_does_not_keep_the_lock(path: Path) -> None:
    with locked(path):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        descriptor = try_lock(path)
        assert descriptor is not None
        unlock(path, descriptor)
    finally:
        child.kill()
        child.wait()
