"""What pseudo-labelling is given."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.jobs.inputs.models import NetworkInputs, TrainedModel
from tasks.jobs.inputs.streams import TargetInputs


@dataclass(frozen=True, kw_only=True)
class EnsembleMember(TrainedModel):
    """A member, with the identity and MLflow run that the pseudo-label file records."""

    identity: str
    run_id: str


@dataclass(frozen=True, kw_only=True)
class PseudoLabelJob(TargetInputs, NetworkInputs):
    """An ensemble, and the data to label.

    Attributes:
        threshold: confidence that a hard label must exceed.
        target_name: name of the data set and its split, for the file.
        digests: digests of everything the labels are made from, for the file.
        members: members in order.
    """

    threshold: float
    target_name: str
    digests: Mapping[str, str]
    members: tuple[EnsembleMember, ...]
