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
        subject: subject of the execution.
        stage: name of the stage.
        state: current state.
        step: current step, for jobs that count steps.
        steps: total number of steps.
        accuracy: latest hyper-validation accuracy.
        artifact: the result, once it exists.
        message: one-line message of a failure.
        slot: where the stage runs; empty if it is not running.
        seconds: time since it started in its slot.
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
