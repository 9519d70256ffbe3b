"""Two hosts and a job's folder on each of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tasks.execution.attempts import Attempt
from tasks.execution.job_transfer import SubmitterSync, WorkerSync

WORK = "work/train/3f2a9c01"
Fetch = Callable[[], tuple[Attempt, WorkerSync]]


@dataclass(frozen=True, kw_only=True)
class Job:
    """It reads an artifact."""

    data: Path
    seed: int


class Clock:
    """Time that passes in `sleep` alone."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def handed_over(submitter: SubmitterSync, folder: Path) -> Attempt:
    attempt = Attempt.begin(folder)
    submitter.send()
    return attempt


def on(home: Path, attempt: Attempt) -> Attempt:
    """The same attempt, on another host."""
    return Attempt(home / WORK, attempt.key)


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
