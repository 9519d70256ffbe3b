"""What the study of hyper-validation sizes is given."""

from dataclasses import dataclass

from tasks.jobs.inputs.models import NetworkInputs, TrainedModel
from tasks.jobs.inputs.streams import TargetInputs


@dataclass(frozen=True, kw_only=True)
class SelectionStudyJob(TargetInputs, NetworkInputs):
    """Cells to select from repeatedly.

    Attributes:
        models: trainings of the cells.
        values: their accuracies on the test split, in the same order.
        sizes: sizes of the subsets of hyper-validation.
        selections: number of subsets of each size.
    """

    models: tuple[TrainedModel, ...]
    values: tuple[float, ...]
    sizes: tuple[int, ...]
    selections: int
