"""Stand-ins for a clock, a worker and the server; what happens to them is said by the test."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from tasks.execution.attempts import HEARTBEAT, Attempt, Ended, Heartbeat, write_end
from tasks.execution.prefect_runs import RunState
from tasks.execution.processes import Process


class Clock:
    """Steady time that passes in `sleep` alone, and what happens then."""

    def __init__(self) -> None:
        self.now = 5000.0
        self._ahead: list[tuple[float, Callable[[], object]]] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        due = [action for time, action in self._ahead if time <= self.now]
        self._ahead = [(time, action) for time, action in self._ahead if time > self.now]
        for action in due:
            action()

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        self._ahead.append((self.now + seconds, action))


class Run:
    """A worker, as the files and the server show it."""

    def __init__(self, clock: Clock, folder: Path, key: str) -> None:
        self.clock, self.folder, self.key = clock, folder, key
        self.state: str | None = "RUNNING"
        self.beat = 0

    def live(self, process: Process | None = None, host: str = "host-b") -> None:
        """A heartbeat."""
        self.beat += 1
        process = process or Process(os.getpid(), 0.0)
        heartbeat = Heartbeat(self.key, self.beat, host, process, "host-b cuda:1")
        (self.folder / HEARTBEAT).write_text(json.dumps(asdict(heartbeat)))

    def live_every(self, seconds: float, times: int) -> None:
        for number in range(times):
            self.clock.after(seconds * number, self.live)

    def finish(self, exit_code: int = 0, message: str = "", state: str = "COMPLETED") -> None:
        """Leave word of the end."""
        if exit_code == 0:
            (self.folder / "outcome.json").write_text('{"summary": {}}')
        write_end(Attempt(self.folder, self.key), Ended(self.key, exit_code, message))
        self.state = state


class Server:
    """A `Dispatch`: what happens to every run is said by the test."""

    def __init__(self, clock: Clock, home: Path) -> None:
        self.clock, self.home = clock, home
        self.happens: list[Callable[[Run], object]] = []
        self.away = 0
        self.runs: dict[str, Run] = {}
        self.submitted: list[tuple[dict[str, str], str, str, tuple[str, ...]]] = []
        self.closed: list[tuple[str, str, str]] = []

    def submit(
        self, parameters: dict[str, str], key: str, label: str, tags: Sequence[str]
    ) -> str | None:
        self.submitted.append((parameters, key, label, tuple(tags)))
        if self.away:
            self.away -= 1
            return None
        name = f"run-{len(self.runs) + 1}"
        self.runs[name] = Run(self.clock, self.home / parameters["work"], key)
        self.happens[min(len(self.runs), len(self.happens)) - 1](self.runs[name])
        return name

    def state(self, run: str) -> RunState | None:
        state = self.runs[run].state
        return None if state is None else RunState(state, "No space left.")

    def close(self, run: str, end: str, reason: str) -> None:
        self.closed.append((run, end, reason))

    @property
    def keys(self) -> list[str]:
        return [key for _, key, *_ in self.submitted]


def succeed(worker: Run) -> None:
    worker.live()
    worker.clock.after(3.0, worker.finish)
