"""Curves and studies beyond the paper, as a record has them."""

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
    """Hyper-validation of a row's model while it was trained."""

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
    """Selections on subsets of hyper-validation of one size: test accuracy of the chosen cell."""

    size: int
    selections: int
    test_accuracy: float
    deviation: float


@dataclass(frozen=True, kw_only=True)
class SizeStudyRecord(InDraw):
    """What the selection owes to the size of hyper-validation: mean and best of the cells."""

    cells: int
    mean: float
    best: float
    sizes: tuple[SizeRecord, ...]


@dataclass(frozen=True, kw_only=True)
class SourceRecord(TestScores, InDraw):
    """The grid's middle cell, searched over the learning rates, on all sources or all but one.

    Attributes:
        left_out: the source that it was trained without; None: on all.
        accuracy: on hyper-validation.
        identity: of the training's artifact.
    """

    left_out: str | None
    accuracy: float
    identity: str


@dataclass(frozen=True, kw_only=True)
class LabelsRecord(TestScores, InDraw):
    """The same model on all sources and this V; V of one draw are nested over k.

    Attributes:
        labels: samples in V, all classes together.
        accuracy: on hyper-validation.
        identity: of the training's artifact.
    """

    labels: int
    accuracy: float
    identity: str


@dataclass(frozen=True, kw_only=True)
class StudyRecords:
    """The studies beyond the paper; empty where one was not asked for."""

    rho: tuple[RhoRecord, ...] = ()
    hyper_validation: tuple[SizeStudyRecord, ...] = ()
    sources: tuple[SourceRecord, ...] = ()
    labels: tuple[LabelsRecord, ...] = ()
