"""Pseudo-labels, their audit and what held-out labels show of them, as a record has them."""

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
    """The hard labels that another threshold would give."""

    threshold: float
    agreed: int
    coverage: float
    precision: float | None


@dataclass(frozen=True, kw_only=True)
class ShownPrecision:
    """What held-out labels show of an ensemble's labels of U, with some confidence.

    Attributes:
        confidence: of everything here.
        held_out: labelled samples, or clips, that no member which scores them was trained on.
        agreed: those of them on which the members agree above the threshold.
        right: those of these that are labelled right.
        bound: exact lower bound of the precision of the hard labels.
        precision: that was asked for.
        from_confidence: the mean confidence from which on it is shown; None: it is not.
        labelled: samples, or clips, of U at or above it.
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
        threshold: that was used.
        unlabelled: samples of U.
        agreed: samples with a hard label.
        clips: agreement within clips; None of images.
        coverage: share of U with a hard label.
        precision: share of right ones among these; None if there is none, or no truth.
        precision_per_class: the same by the class of the label.
        count_per_class: hard labels by class.
        soft_accuracy: share of right soft labels; None where there is no truth to tell.
        calibration: of the soft labels, by bin.
        thresholds: what others would give.
        enlarged_v: samples of every class in the enlarged V; clips if there are clips.
        run_id: of the MLflow run: of the labels, or of the model trained on them.
        shown: what held-out labels show, where a precision was asked for.
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
        accuracy: of the model on hyper-validation.
        pseudo: labels that it was trained on.
        identity: of its artifact.
    """

    accuracy: float
    pseudo: Labels | None = None
    identity: str
