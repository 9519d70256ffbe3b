"""Run a command that dies with its parent.

`python -P -m gradmix_launcher tasks.execution.parent_death PARENT_PID COMMAND...`

Linux tells the kernel to send SIGKILL to this process when the *thread* that started it ends, and
the wish survives `exec`. So the thread that starts a tethered process must outlive it. On other
systems there is no such call: the command runs untethered, and a `kill -9` of the parent leaves it.

A Prefect worker cannot name itself in the command that it starts for every flow run; for it,
PARENT_PID is `worker`: whoever started this, if that is a Prefect process.

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
    """How a command that runs a module starts; our packages are found first."""
    return [sys.executable, "-P", "-m", LAUNCHER, name]


def tethered(command: Sequence[str]) -> list[str]:
    """The command, wrapped so that it dies with the calling thread."""
    return [*python_module("tasks.execution.parent_death"), str(os.getpid()), *command]


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel kill this process when the thread that started it ends.

    For a process that was not started through `tethered`. Whoever was started by the parent's main
    thread dies with the parent.

    Args:
        parent: its process id, if that is known; else whoever is the parent now.

    Raises:
        SystemExit: if the parent ends at this moment.
    """
    if not _tie_to(os.getppid() if parent is None else parent):
        raise SystemExit("the parent process has ended.")


def main(arguments: Sequence[str]) -> int:
    """Tie this process to its parent and become the command; returns only if that fails."""
    named, command = arguments[0], list(arguments[1:])
    parent = os.getppid() if named == WORKER else int(named)
    # The parent may have died before the kernel was told: then this process has been adopted.
    if not _tie_to(parent) or (named == WORKER and not _is_prefect(parent)):
        return 1
    try:
        os.execvpe(command[0], command, os.environ)  # noqa: S606 - no shell wanted
    except OSError as error:
        sys.stderr.write(f"expected a command to run, found {command[0]!r}: {error.strerror}.\n")
        return _NOT_FOUND


def _tie_to(parent: int) -> bool:
    """Whether this process now dies with that parent; elsewhere than on Linux, whether it lives."""
    if sys.platform == "linux":
        _ask_kernel()
    return os.getppid() == parent


def _ask_kernel() -> None:
    # Imported here because ctypes is not everywhere, and only Linux needs it.
    import ctypes  # noqa: PLC0415

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def _is_prefect(process: int) -> bool:
    """Whether a process was started as Prefect; its adopter was not. True where nobody can tell."""
    try:
        return b"prefect" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return sys.platform != "linux"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
