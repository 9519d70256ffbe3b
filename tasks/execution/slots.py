"""Slots, each of which runs one training process at a time."""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks.execution.devices import cuda_devices, usable_cores, usable_devices
from tasks.execution.environment import training_environment
from tasks.execution.launch import Launch, fresh
from tasks.execution.processes import ChildFailedError, last_line
from tasks.storage.locks import try_lock, unlock

_RETRY_S = 0.5


class SlotsStoppedError(RuntimeError):
    """The run was stopped."""


@dataclass(frozen=True)
class Slot:
    """A place for one training at a time.

    Attributes:
        name: display name: "cpu:0", "cuda:1".
        device: CUDA_VISIBLE_DEVICES of its processes; empty for a CPU core.
    """

    name: str
    device: str = ""


class SlotPool:
    """Hands each slot to one thread at a time, across processes with the same lock folder.

    Args:
        slots: at least one, with different names.
        locks: folder of the lock files; None if other processes have their own slots.

    Raises:
        ValueError: if there is no slot, or a name occurs twice.
    """

    def __init__(self, slots: Sequence[Slot], locks: Path | None = None) -> None:
        names = [slot.name for slot in slots]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"expected one or more slots with different names, found {names}.")
        self.slots = tuple(slots)
        self._free = deque(slots)
        self._changed = threading.Condition()
        self._stopped = False
        self._locks = locks

    @classmethod
    def of_this_machine(
        cls,
        limit: int | None = None,
        locks: Path | None = None,
        *,
        per_gpu: int = 1,
        ask_torch: bool = True,
    ) -> "SlotPool":
        """Slots on the CUDA devices if there are any, else one per CPU core this process may use.

        Args:
            limit: maximum number of slots.
            locks: folder of the lock files.
            per_gpu: slots on each CUDA device.
            ask_torch: check that torch can use the devices, which takes seconds; an estimate need
                not check.

        Raises:
            ValueError: if the limit is below 1.
            StageError: if torch cannot use the CUDA devices: trainings would run on the CPU.
        """
        if limit is not None and limit < 1:
            raise ValueError(f"expected at least 1 slot, found {limit}.")
        devices = usable_devices() if ask_torch else cuda_devices()
        # The first slots of all devices come before the second ones, whatever the limit.
        slots = [
            Slot(f"cuda:{i}" if per_gpu == 1 else f"cuda:{i}.{place}", device)
            for place in range(per_gpu)
            for i, device in enumerate(devices)
        ]
        return cls(slots[:limit], locks) if slots else cls.of_cores(limit, locks)

    @classmethod
    def of_cores(cls, limit: int | None = None, locks: Path | None = None) -> "SlotPool":
        """One slot per usable CPU core, at most `limit`, for jobs that need no GPU."""
        return cls([Slot(f"cpu:{i}") for i in range(usable_cores())][:limit], locks)

    @contextmanager
    def take(self) -> Iterator[Slot]:
        """Wait for a slot and hold it.

        Raises:
            SlotsStoppedError: if the pool is stopped.
        """
        slot, lock = self._next()
        while lock is None:
            # Another process holds it; the next may be free.
            self._give_back(slot)
            time.sleep(_RETRY_S)
            slot, lock = self._next()
        try:
            yield slot
        finally:
            lock()
            self._give_back(slot)

    def _next(self) -> tuple[Slot, Callable[[], None] | None]:
        """The next slot and its lock's release; None if another process holds the lock."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._free)
            self.raise_if_stopped()
            slot = self._free.popleft()
        if self._locks is None:
            return slot, lambda: None
        path = self._locks / f"{socket.gethostname()}-{slot.name}"
        try:
            descriptor = try_lock(path)
        except BaseException:
            self._give_back(slot)
            raise
        return slot, None if descriptor is None else lambda: unlock(path, descriptor)

    def _give_back(self, slot: Slot) -> None:
        with self._changed:
            self._free.append(slot)
            self._changed.notify()

    def stop(self) -> None:
        """Hand out no more slots, and wake threads that wait for one."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def raise_if_stopped(self) -> None:
        """For loops that hold a slot, as an interrupt reaches only the main thread.

        Raises:
            SlotsStoppedError: if `stop` was called.
        """
        if self._stopped:
            raise SlotsStoppedError("the run was stopped; start it again to continue.")


def run_in_slot(
    command: Sequence[str],
    slot: Slot,
    *,
    log: Path,
    cwd: Path,
    poll: Callable[[], None],
    poll_s: float = 0.5,
    timeout_s: float | None = None,
    launch: Launch = fresh,
) -> None:
    """Run a command on a slot's device and wait for it; its process group ends with it.

    The child dies with the calling thread (`parent_death`), and on any exception in it.

    Args:
        command: program and arguments.
        slot: the slot, already taken.
        log: file to append its output to.
        cwd: its working directory.
        poll: called every `poll_s` seconds while it runs, and once after it has ended.
        poll_s: seconds between calls.
        timeout_s: seconds after which it is killed.
        launch: starts it.

    Raises:
        ChildFailedError: if it fails.
        TimeoutError: if it was killed after `timeout_s`.
    """
    written = log.stat().st_size if log.exists() else 0
    started = time.monotonic()
    child = launch(command, log, cwd, training_environment(slot.device))
    try:
        while (code := child.wait(poll_s)) is None:
            poll()
            if timeout_s is not None and time.monotonic() - started > timeout_s:
                raise TimeoutError(
                    f"expected the command to end within {timeout_s:g} s; log: {log}"
                )
    finally:
        child.kill()
    poll()
    if code != 0:
        raise ChildFailedError(code, last_line(log, written), log)
