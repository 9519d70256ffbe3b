"""Jobs in the slots of this machine, one process each."""

from dataclasses import dataclass
from pathlib import Path

from tasks.execution.attempts import LOG, Attempt, alone, job_command
from tasks.execution.launch import Launch, fresh
from tasks.execution.progress import Follower
from tasks.execution.slots import SlotPool, run_in_slot


@dataclass(frozen=True)
class SlotRunner:
    """A `JobRunner` that takes a slot for every job.

    Attributes:
        home: the home folder.
        slots: slots of this machine.
        launch: starts their processes.
    """

    home: Path
    slots: SlotPool
    launch: Launch = fresh

    def run(self, name: str, folder: Path, follower: Follower) -> None:
        """Wait for a slot and run the job in it."""
        attempt = Attempt.begin(folder)

        def poll() -> None:
            attempt.check()
            follower.poll()

        command, log = job_command(name, folder, self.home), folder / LOG
        with self.slots.take() as slot, alone(attempt):
            follower.start(slot.name)
            run_in_slot(command, slot, log=log, cwd=self.home, poll=poll, launch=self.launch)

    def stop(self) -> None:
        """Let no more jobs take a slot."""
        self.slots.stop()
