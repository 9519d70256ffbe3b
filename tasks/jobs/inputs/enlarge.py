"""Inputs of the job that enlarges V."""

from dataclasses import dataclass
from pathlib import Path

from tasks.jobs.inputs.streams import TargetInputs


@dataclass(frozen=True, kw_only=True)
class EnlargeJob(TargetInputs):
    """Inputs of the enlargement of V.

    Attributes:
        pseudo_labels: folder of the pseudo-label file.
        per_class: samples per class to reach; clips, if samples are frames.
        seed: seed of the choice among agreed samples.
    """

    pseudo_labels: Path
    per_class: int
    seed: int
