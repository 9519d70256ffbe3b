"""Processes of this host that die with their parent: starting, identifying, killing."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tasks.execution.parent_death import tethered

_TAIL = 1 << 16
_ROOM = 1 << 16
"""With less free space than this, in bytes, a log may be empty."""
_START_FIELD = 19
"""Index of the start time, in clock ticks since boot, after the name in /proc/PID/stat."""


class ChildFailedError(RuntimeError):
    """A child process ended with an error; one line with what happened.

    Args:
        exit_code: exit code; negative for a signal, as in `subprocess`.
        last_line: last line of its log, which names the cause; may be empty.
        log: path of its log.
    """

    def __init__(self, exit_code: int, last_line: str, log: Path) -> None:
        if exit_code < 0:
            hint = ", out of memory?" if -exit_code == signal.SIGKILL else ""
            ending = f"the process was killed ({signal.Signals(-exit_code).name}{hint})"
        else:
            ending = f"exit code {exit_code}"
        super().__init__(f"{last_line or _silence(log)} [{ending}; log: {log}]")
        self.exit_code = exit_code
        self.last_line = last_line
        self.log = log


def _silence(log: Path) -> str:
    """Why a process may have logged nothing."""
    try:
        full = shutil.disk_usage(log.parent).free < _ROOM
    except OSError:
        full = False
    return f"No space left on device ({log.parent})" if full else "it said nothing"


@dataclass(frozen=True)
class Process:
    """A process, distinguished from later ones with the same id.

    Attributes:
        pid: process id.
        started: value of `started` for it.
    """

    pid: int
    started: float

    @classmethod
    def find(cls, pid: int) -> "Process":
        """Find a process by id; if it has ended, the result is never alive."""
        return cls(pid, started(pid) or 0.0)

    @property
    def alive(self) -> bool:
        """Whether it is running on this host."""
        return started(self.pid) == self.started


def start_tethered(
    command: Sequence[str],
    log: Path,
    cwd: Path,
    variables: Mapping[str, str],
    leave_out: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Start a command that dies with this thread, in its own process group.

    Args:
        command: program and arguments.
        log: file to append its output to.
        cwd: its working directory.
        variables: variables to add to this process's environment.
        leave_out: prefixes of variables of this process that are not passed on.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            tethered(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**without(os.environ, leave_out), **variables},
            start_new_session=True,
        )


def without(variables: Mapping[str, str], prefixes: Iterable[str]) -> dict[str, str]:
    """The variables whose names have none of the prefixes."""
    chosen = tuple(prefixes)
    return {name: value for name, value in variables.items() if not name.startswith(chosen)}


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process group, and reap its leader."""
    # Even if the leader has ended, as it may have left children.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_line(log: Path, start: int = 0) -> str:
    """Last line of a log that is not blank; empty if there is none.

    Args:
        log: the file.
        start: offset of the first byte to consider.
    """
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - _TAIL))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def started(pid: int) -> float | None:
    """Start time of a process, for comparison only; None if it has ended.

    On Linux, counted from boot: setting the clock changes what `psutil` gives.
    """
    if sys.platform != "linux":
        try:
            return psutil.Process(pid).create_time()
        except psutil.Error:
            return None
    else:
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        # The name in parentheses may contain anything.
        fields = text.rpartition(")")[2].split()
        ended = fields[0] in {"Z", "X"}
        return None if ended else int(fields[_START_FIELD]) / os.sysconf("SC_CLK_TCK")
