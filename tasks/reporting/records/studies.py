"""Curves and studies beyond the paper, in a record."""

from dataclasses import dataclass

from tasks.reporting.records.rows import InDraw, TestScores


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """Hyper-validation after a step."""

    step: int
    accuracy: float
    loss: float


@dataclass(frozen=True, kw_only=True)
class CurveRecord(InDraw):
    """Hyper-validation of a row's model during its training."""

    row: str
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True, kw_only=True)
class ProbeRecord:
    """One mini-batch: its rho, the change of the loss, and both layer by layer."""

    rho: float
    change: float
    cosines: tuple[float | None, ...]
    changes: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class RhoRecord(InDraw):
    """Probes of mini-batches at random weights (`initial`) or at the finished model (`trained`)."""

    start: str
    layers: tuple[str, ...]
    loss: float | None = None
    probes: tuple[ProbeRecord, ...]


@dataclass(frozen=True, kw_only=True)
class SizeRecord:
    """Selections on subsets of hyper-validation of one size: accuracy of the chosen cells."""

    size: int
    selections: int
    test_accuracy: float
    deviation: float


@dataclass(frozen=True, kw_only=True)
class SizeStudyRecord(InDraw):
    """Effect of the size of hyper-validation on selection, with mean and best of the cells."""

    cells: int
    mean: float
    best: float
    sizes: tuple[SizeRecord, ...]


@dataclass(frozen=True, kw_only=True)
class SourceRecord(TestScores, InDraw):
    """The grid's middle cell, with the learning rate searched, on all sources or all but one.

    Attributes:
        left_out: the source left out; None if none is.
        accuracy: hyper-validation accuracy.
        identity: identity of the training's artifact.
    """

    left_out: str | None
    accuracy: float
    identity: str


@dataclass(frozen=True, kw_only=True)
class LabelsRecord(TestScores, InDraw):
    """The same model on all sources and this V; the V of one draw are nested in k.

    Attributes:
        labels: total number of samples in V.
        accuracy: hyper-validation accuracy.
        identity: identity of the training's artifact.
    """

    labels: int
    accuracy: float
    identity: str


@dataclass(frozen=True, kw_only=True)
class StudyRecords:
    """The studies beyond the paper; empty if not requested."""

    rho: tuple[RhoRecord, ...] = ()
    hyper_validation: tuple[SizeStudyRecord, ...] = ()
    sources: tuple[SourceRecord, ...] = ()
    labels: tuple[LabelsRecord, ...] = ()
