"""Ways to start a job's process: a new interpreter, or a fork by `template`."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tasks.execution.processes import kill_group, start_tethered


class Child(Protocol):
    """A process in its own group, which ends before this process does."""

    def wait(self, seconds: float) -> int | None:
        """Wait for the exit code, negative for a signal; None if still running after `seconds`."""
        ...

    def kill(self) -> None:
        """Kill its process group, even if it has ended itself, and wait for the end."""
        ...


Launch = Callable[[Sequence[str], Path, Path, Mapping[str, str]], Child]
"""Starts a command, given the log to append to, its folder, and variables to add to this process's
environment."""


@dataclass(frozen=True)
class _Fresh:
    """A child started by `subprocess`."""

    process: subprocess.Popen[bytes]

    def wait(self, seconds: float) -> int | None:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        kill_group(self.process)


def fresh(command: Sequence[str], log: Path, cwd: Path, variables: Mapping[str, str]) -> Child:
    """Start the command in a new process that dies with this thread."""
    return _Fresh(start_tethered(command, log, cwd, variables))
