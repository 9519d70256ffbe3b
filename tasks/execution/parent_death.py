"""Run a command that dies with its parent.

`python -P -m gradmix_launcher tasks.execution.parent_death PARENT_PID COMMAND...`

Linux can send SIGKILL to this process when the *thread* that started it ends, and the setting
survives `exec`. So the thread that starts a tethered process must outlive it. Other systems have no
such call: the command runs untethered, and survives a `kill -9` of the parent.

A Prefect worker cannot put its own id into the command it starts for each flow run; for workers,
PARENT_PID is `worker`, which stands for the parent if that is a Prefect process.

Only the standard library is imported: this runs before every training.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

LAUNCHER = "gradmix_launcher"
WORKER = "worker"
_PR_SET_PDEATHSIG = 1
_SIGKILL = 9
_NOT_FOUND = 127


def python_module(name: str) -> list[str]:
    """Start of a command that runs a module, with our packages first on the path."""
    return [sys.executable, "-P", "-m", LAUNCHER, name]


def tethered(command: Sequence[str]) -> list[str]:
    """Wrap a command so that it dies with the calling thread."""
    return [*python_module("tasks.execution.parent_death"), str(os.getpid()), *command]


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel kill this process when the thread that started it ends.

    For processes that were not started through `tethered`. A process started by its parent's main
    thread dies with the parent.

    Args:
        parent: its process id, if known; by default the current parent.

    Raises:
        SystemExit: if the parent has ended.
    """
    if not _tie_to(os.getppid() if parent is None else parent):
        raise SystemExit("the parent process has ended.")


def main(arguments: Sequence[str]) -> int:
    """Tie this process to its parent and become the command; returns only if that fails."""
    named, command = arguments[0], list(arguments[1:])
    parent = os.getppid() if named == WORKER else int(named)
    # If the parent died before the call, this process has already been adopted.
    if not _tie_to(parent) or (named == WORKER and not _is_prefect(parent)):
        return 1
    try:
        os.execvpe(command[0], command, os.environ)  # noqa: S606 - no shell wanted
    except OSError as error:
        sys.stderr.write(f"expected a command to run, found {command[0]!r}: {error.strerror}.\n")
        return _NOT_FOUND


def _tie_to(parent: int) -> bool:
    """Tie this process to its parent; False if that parent has ended."""
    if sys.platform == "linux":
        _ask_kernel()
    return os.getppid() == parent


def _ask_kernel() -> None:
    # Imported here as only Linux needs ctypes, and not every system has it.
    import ctypes  # noqa: PLC0415

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def _is_prefect(process: int) -> bool:
    """Whether a process is Prefect, unlike one that adopts orphans; True if unknown."""
    try:
        return b"prefect" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return sys.platform != "linux"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
