"""The report's section on pseudo-labels: coverage, precision, calibration, R and threshold."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.reporting.measures import measures, of_clips
from tasks.reporting.record import Record
from tasks.reporting.records.labels import CalibrationBin, LabelRecord, ThresholdAudit
from tasks.reporting.render.captions import how_to_read, picture
from tasks.reporting.result_table import NONE, percent
from tasks.reporting.sections.ensemble_size import DISAGREEMENTS, ensemble_audit
from tasks.reporting.sections.pseudo_label_classes import class_parts
from tasks.reporting.sections.shown_precision import shown_part
from tasks.reporting.text_tables import markdown_table


@dataclass(frozen=True)
class Bin:
    """Soft labels with similar confidence, over all draws; shares in [0, 1]."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Threshold:
    """Results of a threshold, mean over draws; `precision` is None if there are no labels."""

    threshold: float
    agreed: float
    coverage: float
    precision: float | None


def calibration(record: Record, k: int) -> list[Bin]:
    """Bins of all draws at one k, pooled by samples, ordered by confidence."""
    bins: dict[tuple[float, float], list[CalibrationBin]] = {}
    for entry in _of(record, k):
        for one in entry.calibration:
            if one.n:
                bins.setdefault((one.low, one.high), []).append(one)
    return [Bin(low, high, *_pooled(some)) for (low, high), some in sorted(bins.items()) if some]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: mean |accuracy - confidence| of the bins, by samples."""
    whole = sum(one.n for one in bins)
    return sum(one.n * abs(one.accuracy - one.confidence) for one in bins) / whole


def thresholds(record: Record, k: int) -> list[Threshold]:
    """Coverage and precision at one k, mean over draws, by ascending threshold."""
    found: dict[float, list[ThresholdAudit]] = {}
    for entry in _of(record, k):
        for one in entry.thresholds:
            found.setdefault(one.threshold, []).append(one)
    return [_mean_threshold(value, some) for value, some in sorted(found.items())]


def label_k(record: Record, part: Literal["calibration", "thresholds"]) -> list[int]:
    """Every k whose audit has this part, ascending."""
    return sorted({entry.k for entry in record.pseudo_labels if getattr(entry, part)})


def pseudo_label_section(record: Record) -> str:
    """Coverage, precision and counts of the pseudo-labels."""
    entries, swept = record.pseudo_labels, ensemble_audit(record)
    if not entries and not swept:
        return ""
    clips = of_clips(record)
    opening = [
        "## Pseudo-labels",
        f"An unlabelled {measures(record)[0].noun} gets a hard label if all R members agree above "
        "the threshold"
        + (", whatever labels the other frames of its clip get. " if clips else ". ")
        + (
            "The true labels of U are only used for this audit, after all trainings, and affect "
            "nothing."
            if record.labelled is None
            else "The true labels of U are unknown, so there is no audit."
        ),
    ]
    given = _given(record) if entries else []
    parts = [*opening, *given, *swept, *_calibration_part(record), *_threshold_part(record)]
    return "\n\n".join(part for part in parts if part)


def _given(record: Record) -> list[str]:
    """Labels used to train the rows: in total, by class and by clip."""
    header = ["k", "draw", "R", "threshold", "unlabelled", "agreed", "coverage %", "precision %"]
    lines = [_line(entry) for entry in record.pseudo_labels]
    return [
        markdown_table([*header, "soft labels right %"], lines),
        how_to_read("labels"),
        *shown_part(record),
        *class_parts(record),
        *_clip_part(record),
    ]


def _clip_part(record: Record) -> list[str]:
    """How often frames of the same clip are labelled differently."""
    lines = [
        [
            str(entry.k),
            str(entry.draw),
            f"{clips.n:,}",
            percent(clips.soft_disagree),
            percent(clips.hard_disagree),
        ]
        for entry in record.pseudo_labels
        if (clips := entry.clips) is not None
    ]
    if not lines:
        return []
    header = ["k", "draw", "clips in U", *(f"{said} differ %" for said in DISAGREEMENTS.values())]
    return [
        "### Frames of one clip",
        "All frames of a clip show one class, but each is labelled separately. Percentage of clips "
        "whose frames are labelled differently: by soft labels (their most probable class), of "
        "clips with at least two frames; by hard labels, of those with at least two frames that "
        "have one.",
        markdown_table(header, lines),
        how_to_read("clips"),
    ]


def _calibration_part(record: Record) -> list[str]:
    ks = label_k(record, "calibration")
    if not ks:
        return []
    found = {k: calibration(record, k) for k in ks}
    lines = [
        [str(k), f"{one.low:g} to {one.high:g}", f"{one.n:,}", *_shares(one)]
        for k, bins in found.items()
        for one in bins
    ]
    errors = ", ".join(
        f"{100 * calibration_error(bins):.2f} points at k = {k}" for k, bins in found.items()
    )
    return [
        "### Calibration",
        "How often soft labels are correct, by confidence (the largest probability of the "
        f"members' mean); all draws together. Expected calibration error (ECE): {errors}.",
        picture(
            "calibration",
            "Reliability diagram: share of right soft labels against their confidence, a series "
            f"for each k ({', '.join(map(str, ks))}), with the diagonal. {errors} off on average.",
        ),
        markdown_table(["k", "confidence", "soft labels", "mean confidence %", "right %"], lines),
        how_to_read("reliability"),
    ]


def _threshold_part(record: Record) -> list[str]:
    ks = label_k(record, "thresholds")
    if not ks:
        return []
    lines = [
        [
            str(k),
            f"{one.threshold:g}",
            f"{one.agreed:,.0f}",
            percent(one.coverage),
            percent(one.precision),
        ]
        for k in ks
        for one in thresholds(record, k)
    ]
    used = record.settings["ensemble"]["threshold"]
    return [
        "### Effect of the threshold",
        f"Mean over draws. {used:g} was used; the others are evaluated afterwards, with the same "
        "models.",
        picture(
            "thresholds",
            "Coverage and precision of the hard labels against the confidence threshold, a panel "
            f"for each k ({', '.join(map(str, ks))}). The table below has every point.",
        ),
        markdown_table(["k", "threshold", "agreed", "coverage %", "precision %"], lines),
        how_to_read("thresholds"),
    ]


def _of(record: Record, k: int) -> list[LabelRecord]:
    return [entry for entry in record.pseudo_labels if entry.k == k]


def _pooled(bins: Sequence[CalibrationBin]) -> tuple[int, float, float]:
    n = sum(one.n for one in bins)
    confidence = sum(one.n * one.confidence for one in bins) / n
    return n, confidence, sum(one.n * (one.accuracy or 0.0) for one in bins) / n


def _mean_threshold(value: float, some: Sequence[ThresholdAudit]) -> Threshold:
    precisions = [one.precision for one in some if one.precision is not None]
    return Threshold(
        value,
        statistics.fmean(one.agreed for one in some),
        statistics.fmean(one.coverage for one in some),
        statistics.fmean(precisions) if precisions else None,
    )


def _shares(one: Bin) -> list[str]:
    return [percent(one.confidence), percent(one.accuracy)]


def _line(entry: LabelRecord) -> list[str]:
    return [
        str(entry.k),
        str(entry.draw),
        str(entry.r),
        NONE if entry.threshold is None else f"{entry.threshold:g}",
        f"{entry.unlabelled:,}",
        f"{entry.agreed:,}",
        percent(entry.coverage),
        percent(entry.precision),
        percent(entry.soft_accuracy),
    ]
