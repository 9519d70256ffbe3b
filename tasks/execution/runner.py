"""How a stage has a job run, wherever that is."""

from pathlib import Path
from typing import Protocol

from tasks.execution.progress import Follower


class JobRunner(Protocol):
    """Runs jobs in processes of their own: in slots of this machine, or on the workers of a fleet.

    A job's folder holds `job.json` when it is run and `outcome.json` when `run` returns.
    """

    def run(self, name: str, folder: Path, follower: Follower) -> None:
        """Run the job of that name in its folder; returns when its outcome is there.

        Args:
            name: of a module of `tasks.jobs`.
            folder: of the job, under the home folder.
            follower: started once the job runs, and polled until it ends.

        Raises:
            ChildFailedError: if its process on this machine ended with an error.
            StageError: if workers refused it, or lost it again and again.
            SlotsStoppedError: if the run was stopped.
        """
        ...

    def stop(self) -> None:
        """Let no further job start; the follower of each that runs ends it."""
        ...
