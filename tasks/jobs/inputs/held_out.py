"""What scoring an ensemble on held-out samples is given."""

from dataclasses import dataclass
from pathlib import Path

from tasks.jobs.inputs.models import NetworkInputs, TrainedModel


@dataclass(frozen=True, kw_only=True)
class HeldOutMember(TrainedModel):
    """A member of the ensemble, and the samples it was not trained on.

    Attributes:
        identity: identity of its training.
        split: folder of the roles of samples in its training, which held out hyper-validation.
    """

    identity: str
    split: Path


@dataclass(frozen=True, kw_only=True)
class HeldOutJob(NetworkInputs):
    """An ensemble, and the target's data.

    Attributes:
        target: folder of the target's prepared training data.
        classes: classes of the target.
        members: members in order.
    """

    target: Path
    classes: tuple[str, ...]
    members: tuple[HeldOutMember, ...]
