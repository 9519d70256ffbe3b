"""Interface through which stages run jobs."""

from pathlib import Path
from typing import Protocol

from tasks.execution.progress import Follower


class JobRunner(Protocol):
    """Runs jobs in separate processes, in slots of this machine or on a fleet's workers.

    A job's folder holds `job.json` when it starts and `outcome.json` when `run` returns.
    """

    def run(self, name: str, folder: Path, follower: Follower) -> None:
        """Run a job in its folder; returns once its outcome exists.

        Args:
            name: name of a module of `tasks.jobs`.
            folder: folder of the job, under the home folder.
            follower: started once the job runs, and polled until it ends.

        Raises:
            ChildFailedError: if its process on this machine failed.
            StageError: if workers rejected it or lost it repeatedly.
            SlotsStoppedError: if the run was stopped.
        """
        ...

    def stop(self) -> None:
        """Start no more jobs; each running job is ended by its follower."""
        ...
