"""What an evaluation is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.jobs.inputs.models import NetworkInputs, TrainedModel

RIGHT = "right.parquet"
"""Which images, or clips in the case of frames, each model classifies correctly."""


@dataclass(frozen=True, kw_only=True)
class EvaluateJob(NetworkInputs):
    """The models and the labels of one draw.

    Attributes:
        classes: classes of the target.
        test: folder of the sealed split.
        target: folder of the prepared training data, for the audit.
        pseudo_labels: folders of the labels to audit, by name.
        models: models to score, by name.
    """

    classes: tuple[str, ...]
    test: Path
    target: Path
    pseudo_labels: Mapping[str, Path]
    models: Mapping[str, TrainedModel]
