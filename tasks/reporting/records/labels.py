"""Pseudo-labels, their audit and their proven precision, in a record."""

from dataclasses import dataclass

from tasks.reporting.records.rows import InDraw, Labels, TestScores


@dataclass(frozen=True, kw_only=True)
class ClipAgreement:
    """Number of clips, and the shares whose frames are labelled differently."""

    n: int
    soft_disagree: float
    hard_disagree: float


@dataclass(frozen=True, kw_only=True)
class CalibrationBin:
    """Soft labels whose confidence is between two bounds."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class ThresholdAudit:
    """Hard labels at another threshold."""

    threshold: float
    agreed: int
    coverage: float
    precision: float | None


@dataclass(frozen=True, kw_only=True)
class ShownPrecision:
    """What held-out labels prove about an ensemble's labels of U.

    Attributes:
        confidence: confidence level of all values here.
        held_out: number of labelled samples, or clips, scored only by members not trained on them.
        agreed: number of those on which the members agree above the threshold.
        right: number of those that are labelled correctly.
        bound: exact lower bound on the precision of hard labels.
        precision: requested precision.
        from_confidence: mean confidence above which it is proven; None if it is not.
        labelled: number of samples, or clips, of U at or above it.
    """

    confidence: float
    held_out: int
    agreed: int
    right: int
    bound: float
    precision: float
    from_confidence: float | None
    labelled: int


@dataclass(frozen=True, kw_only=True)
class LabelRecord(InDraw):
    """Pseudo-labels of the top R, audited against the true labels of U.

    Attributes:
        r: number of members.
        threshold: threshold used.
        unlabelled: number of samples in U.
        agreed: number of samples with a hard label.
        clips: agreement within clips; None for images.
        coverage: share of U with a hard label.
        precision: share of correct ones among these; None if there are none, or no truth.
        precision_per_class: the same by class of the label.
        count_per_class: hard labels by class.
        soft_accuracy: share of correct soft labels; None without a truth.
        calibration: calibration of the soft labels, by bin.
        thresholds: results at other thresholds.
        enlarged_v: samples, or clips, per class in the enlarged V.
        run_id: MLflow run of the labels, or of the model trained on them.
        shown: what held-out labels prove, if a precision was requested.
    """

    r: int
    threshold: float | None = None
    unlabelled: int
    agreed: int
    clips: ClipAgreement | None = None
    coverage: float
    precision: float | None
    precision_per_class: tuple[float | None, ...]
    count_per_class: tuple[int, ...]
    soft_accuracy: float | None
    calibration: tuple[CalibrationBin, ...] = ()
    thresholds: tuple[ThresholdAudit, ...] = ()
    enlarged_v: tuple[int, ...]
    run_id: str
    shown: ShownPrecision | None = None


@dataclass(frozen=True, kw_only=True)
class EnsembleRecord(LabelRecord, TestScores):
    """Labels of the top R of figure 4, and the model trained on them.

    Attributes:
        accuracy: hyper-validation accuracy of the model.
        pseudo: labels it was trained on.
        identity: identity of its artifact.
    """

    accuracy: float
    pseudo: Labels | None = None
    identity: str
