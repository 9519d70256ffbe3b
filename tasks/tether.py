"""Run a command that dies with its parent: `python -P -m tasks.tether PARENT_PID COMMAND...`.

Linux tells the kernel to send SIGKILL to this process when the *thread* that started it ends, and
the wish survives `exec`. So the thread that starts a tethered process must outlive it. On other
systems there is no such call: the command runs untethered, and a `kill -9` of the parent leaves it.

Only the standard library is imported: this runs before every training.
"""

import os
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_SIGKILL = 9
_NOT_FOUND = 127


def tethered(command: Sequence[str]) -> list[str]:
    """The command, wrapped so that it dies with the calling thread."""
    return [sys.executable, "-P", "-m", "tasks.tether", str(os.getpid()), *command]


def main(arguments: Sequence[str]) -> int:
    """Tie this process to its parent and become the command; returns only if that fails."""
    parent, command = int(arguments[0]), list(arguments[1:])
    if sys.platform == "linux":
        _die_with_parent()
    # The parent may have died before the call above: then this process has been adopted.
    if os.getppid() != parent:
        return 1
    try:
        os.execvpe(command[0], command, os.environ)  # noqa: S606 - no shell wanted
    except OSError as error:
        sys.stderr.write(f"expected a command to run, found {command[0]!r}: {error.strerror}.\n")
        return _NOT_FOUND


def _die_with_parent() -> None:
    # Imported here because ctypes is not everywhere, and only Linux needs it.
    import ctypes  # noqa: PLC0415

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
