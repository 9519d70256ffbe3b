"""The record of a reproduction: every figure of its report, and where each came from.

Accuracies and other shares are in [0, 1], times in seconds.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tasks.codec import CodecError, Json, decode, encode

FORMAT = 3
"""Of the file. Format 1 (version 0.1) had no key for what a run did not have; format 2 (0.2) knew
no champion."""

EARLIER = (1, 2)
"""Formats whose files may lack keys that have a default."""

Labels = Literal["hard", "soft"]


@dataclass(frozen=True, kw_only=True)
class InDraw:
    """Of which V: k labelled samples a class, and the number of the draw."""

    k: int
    draw: int


@dataclass(frozen=True, kw_only=True)
class TestScores:
    """On the sealed test split, by image or frame, and by clip if frames are of clips."""

    test_accuracy: float | None = None
    test_n: int | None = None
    test_clip_accuracy: float | None = None
    test_clips: int | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingRecord(TestScores, InDraw):
    """A training: what it was, and what it reached on hyper-validation.

    Attributes:
        method: a row of `METHODS`.
        settings: every field of its config.
        pseudo: labels of S_u; None without S_u.
        learning_rate: of SGD.
        accuracy: at the best step.
        loss: at the best step.
        best_step: by accuracy, ties by lower loss.
        last_accuracy: at the last step.
        steps: gradient descents.
        seconds: in its slot, from `resumed_from` on.
        resumed_from: step of the checkpoint that an earlier attempt left; 0 without one.
        identity: of the artifact.
        run_id: of the MLflow run.
    """

    method: str
    settings: Mapping[str, Any]
    pseudo: Labels | None = None
    learning_rate: float
    accuracy: float
    loss: float
    best_step: int
    last_accuracy: float
    steps: int | None = None
    seconds: float
    resumed_from: int | None = None
    identity: str
    run_id: str


@dataclass(frozen=True, kw_only=True)
class RowRecord(TrainingRecord):
    """A row of the table in one draw.

    Attributes:
        row: its name.
        datasets: that the model has seen: sources, V, U.
        searched: learning rates that it was chosen from; none where the first stage's was taken.
        searched_settings: settings that it was chosen from, by name, with their values.
        candidates: hyper-validation accuracies of all that it was chosen from; empty where a
            record is older than this field.
        right: which test images, or clips if they are frames, it classifies right, packed as
            `tasks.reporting.right_answers` does; None where they were not kept.
        held_out: labels that `accuracy` counts, where V is labelled files as they are.
        weights: mixing weight of every source, mean over layers and validations; empty where
            nothing is mixed, and where a record is older than this field.
    """

    row: str
    datasets: tuple[str, ...]
    searched: tuple[float, ...]
    searched_settings: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    candidates: tuple[float, ...] = ()
    right: str | None = None
    held_out: int | None = None
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ChampionRecord(TestScores, InDraw):
    """The model to use: the best of all rows, k and draws by accuracy on hyper-validation.

    Attributes:
        row: its name.
        accuracy: on hyper-validation, which chose it.
        n: images or frames of hyper-validation, where known.
        compared: number of models that it is the best of.
        folder: of the model, in that of the record.
        registered: name of the registered model in MLflow.
        identity: of its training.
    """

    row: str
    accuracy: float
    n: int | None
    compared: int
    folder: str
    registered: str
    identity: str


@dataclass(frozen=True, kw_only=True)
class CellRecord(TrainingRecord):
    """A cell of the grid in one draw; its rank among the top R, from 1, None below."""

    beta: float
    gamma: float
    rank: int | None = None


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


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """One split of a data set.

    Attributes:
        dataset: its name in the experiment.
        reader: that read it.
        split: "train" or "test".
        origin: of the files, in words.
        official: whether this is the published split.
        samples: images or frames.
        clips: that the frames are of; None of images.
        skipped: files that were left out, by reason.
        broken: files that cannot be decoded.
        digest: of the prepared data.
        raw: digests of the raw files.
    """

    dataset: str
    reader: str
    split: str
    origin: str
    official: bool
    samples: int
    clips: int | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)
    broken: int = 0
    digest: str
    raw: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ClassCorrections:
    """Corrections of one class, and how many of these had another pseudo-label in an earlier run.

    Attributes:
        label: the class that a person has named.
        corrected: files that were given it.
        labelled: those of them that had a pseudo-label.
        otherwise: those of these whose pseudo-label was another.
    """

    label: str
    corrected: int
    labelled: int
    otherwise: int


@dataclass(frozen=True, kw_only=True)
class LabelledRecord:
    """A V that is labelled files as they are.

    Attributes:
        counts: labelled files by class, in the order of the classes, corrected ones among them.
        unlabelled: files of U.
        parts: of V, each held out once; 0: what is held out is held out for good.
        held_out: labelled files that are held out, in all parts together.
        rejected: files that corrections have taken out.
        corrections: by class; none without any.
        files: folder that names of the target's files start from.
        corrections_file: where corrections are, or will be.
    """

    counts: tuple[int, ...]
    unlabelled: int
    parts: int
    held_out: int
    rejected: int = 0
    corrections: tuple[ClassCorrections, ...] = ()
    files: str | None = None
    corrections_file: str | None = None


@dataclass(frozen=True, kw_only=True)
class HardwareRecord:
    """Processor, usable cores, memory and slots."""

    cpu: str
    cores: int
    memory_gib: float
    slots: tuple[str, ...]
    system: str = ""


@dataclass(frozen=True, kw_only=True)
class MemoryRecord:
    """Peaks over all processes: shared pages counted once (PSS), or in each of them (RSS)."""

    pss_mib: float
    rss_mib: float


@dataclass(frozen=True, kw_only=True)
class CountsRecord:
    """Trainings that the run made, and those that earlier runs had made."""

    trainings: int
    cached: int


@dataclass(frozen=True, kw_only=True)
class OutputsRecord:
    """What was asked for: numbers of the paper's tables and figures, names of studies.

    `rows` are names of the table's rows besides the first stage's; None: all of them.
    """

    rows: tuple[str, ...] | None = None
    tables: tuple[int, ...]
    figures: tuple[int, ...]
    studies: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TrackingRecord:
    """Where MLflow's pages are: their address, and the id of the experiment if it was known."""

    ui: str = ""
    experiment_id: str | None = None
    command: str | None = None


Paper = Mapping[str, Mapping[int, tuple[float, ...]]]
"""The paper's mean and standard error in per cent, by row and k."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """A finished reproduction.

    Attributes:
        format: of the file.
        name: of the reproduction.
        champion: the model to use; None of a run of an earlier version.
        identity: digest of settings and raw data.
        run_id: its MLflow run.
        experiment: name of the experiment.
        title: of the experiment.
        note: that the report begins with.
        scale: of the experiment.
        seed: of the experiment.
        command: that asks for the same again.
        started: ISO 8601, UTC.
        finished: ISO 8601, UTC.
        seconds: between the two.
        git_sha: commit of the code; None where that is not part of a checkout.
        git_dirty: whether it had uncommitted changes.
        versions: of Python and packages.
        hardware: that it ran on.
        settings: of the experiment, as its file has them.
        classes: of the target.
        data: prepared splits.
        outputs: that were asked for; None: all, before there was a choice.
        tracking: MLflow's pages.
        rows: of the table, in its order.
        cells: of the grid.
        pseudo_labels: that the rows are trained with.
        ensembles: figure 4.
        curves: figure 3.
        studies: beyond the paper.
        executed: number of trainings.
        paper: its figures, by image or frame.
        paper_clips: its figures by clip.
        peak_memory: of the run.
        labelled: V, if it is labelled files as they are; None: it was drawn.
    """

    format: int
    name: str
    champion: ChampionRecord | None = None
    identity: str
    run_id: str
    experiment: str
    title: str
    note: str | None = None
    scale: str
    seed: int
    command: str
    started: str
    finished: str
    seconds: float
    git_sha: str | None
    git_dirty: bool
    versions: Mapping[str, str]
    hardware: HardwareRecord
    settings: Mapping[str, Any]
    classes: tuple[str, ...]
    data: tuple[DataRecord, ...]
    outputs: OutputsRecord | None = None
    tracking: TrackingRecord = TrackingRecord()
    rows: tuple[RowRecord, ...]
    cells: tuple[CellRecord, ...]
    pseudo_labels: tuple[LabelRecord, ...]
    ensembles: tuple[EnsembleRecord, ...] = ()
    curves: tuple[CurveRecord, ...] = ()
    studies: StudyRecords = StudyRecords()
    executed: CountsRecord
    paper: Paper
    paper_clips: Paper = field(default_factory=dict)
    peak_memory: MemoryRecord | None = None
    labelled: LabelledRecord | None = None


def record_text(record: Record) -> str:
    """The file's content."""
    return json.dumps(encode(record), indent=1) + "\n"


def read_record(path: Path) -> Record:
    """Read a record of this version, or of an earlier one.

    Raises:
        CodecError: if it is of another version, or no record.
        OSError: if the file cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CodecError(
            f"{path}: expected a record, found an unreadable file; gradmix reproduce makes it "
            "again."
        ) from error
    return decode_record(content, str(path))


def decode_record(content: Json, name: str = "record") -> Record:
    """A record from its JSON, of format 1, 2 or 3.

    Args:
        content: of the file.
        name: of the file, for errors.

    Raises:
        CodecError: if it is of another version, or no record.
    """
    found = content.get("format") if isinstance(content, dict) else "none"
    if found not in EARLIER and found != FORMAT:
        raise CodecError(
            f"{name}: expected a record of format 1 to {FORMAT}, found format {found}; use the "
            "version that made it, or gradmix reproduce makes it again."
        )
    return decode(Record, {**content, "format": FORMAT}, name=name, sparse=found in EARLIER)
