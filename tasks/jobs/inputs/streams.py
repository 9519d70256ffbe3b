"""What the data of a job are read from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.jobs.inputs.models import NetworkInputs


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """Sizes of mini-batches; V is used whole in each step up to `v_whole_up_to` samples."""

    batch_size: int
    v_whole_up_to: int


@dataclass(frozen=True, kw_only=True)
class TargetInputs:
    """The target's data.

    Attributes:
        target: folder of the prepared training data.
        split: folder of the roles of its samples.
        classes: classes of the target.
    """

    target: Path
    split: Path
    classes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SourceSet:
    """A labelled source: its name, the folder of its data, the classes used, and their head."""

    name: str
    data: Path
    classes: tuple[str, ...]
    head: str


@dataclass(frozen=True, kw_only=True)
class StreamInputs(TargetInputs, NetworkInputs):
    """Everything a training reads.

    Attributes:
        source_sets: the labelled sources.
        training: sizes of mini-batches.
        enlarged: folder of the enlarged V, which replaces the split's.
        pseudo_labels: folder of the pseudo-labels for S_u, an additional source.
        pseudo: which of these labels to use.
    """

    source_sets: tuple[SourceSet, ...]
    training: BatchSettings
    enlarged: Path | None = None
    pseudo_labels: Path | None = None
    pseudo: Literal["hard", "soft"] | None = None
