"""Events of stages, for progress displays, counts and logs."""

from dataclasses import dataclass
from typing import Literal

from tasks.storage.artifacts import Artifact
from tasks.subjects import Subject

State = Literal["waiting", "running", "cached", "finished", "failed"]


@dataclass(frozen=True)
class Event:
    """A change of state, or progress, of one stage.

    Attributes:
        subject: of the execution.
        stage: its name.
        state: that it is in now.
        step: of a job that counts its steps.
        steps: how many there are in all.
        accuracy: on hyper-validation, the latest.
        artifact: the result, once there is one.
        message: of a failure, one line.
        slot: where it runs; empty while it does not.
        seconds: since it started in its slot.
    """

    subject: Subject
    stage: str
    state: State
    step: int = 0
    steps: int = 0
    accuracy: float | None = None
    artifact: Artifact | None = None
    message: str = ""
    slot: str = ""
    seconds: float = 0.0

    @property
    def label(self) -> str:
        """The subject's label."""
        return self.subject.label
