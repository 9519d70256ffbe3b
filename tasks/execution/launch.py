"""How a job's process is started: afresh, or as `template` does it."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tasks.execution.processes import kill_group, start_tethered


class Child(Protocol):
    """A process in a group of its own, which ends before this process does."""

    def wait(self, seconds: float) -> int | None:
        """Its exit code, negative for a signal; None if it runs on for these seconds."""
        ...

    def kill(self) -> None:
        """Kill what is left of its group, and wait until it has ended; after its end as well."""
        ...


Launch = Callable[[Sequence[str], Path, Path, Mapping[str, str]], Child]
"""Starts a command: its log, which is appended to, its folder, and variables for its environment
on top of this process's own."""


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
    """Start a new interpreter, or whatever the command is; it dies with this thread."""
    return _Fresh(start_tethered(command, log, cwd, variables))
