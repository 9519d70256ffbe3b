"""The record of a reproduction: every figure of its report, and its origin.

Accuracies and other shares are in [0, 1], times in seconds.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.codec import CodecError, Json, decode, encode
from tasks.reporting.records.inputs import (
    DataRecord,
    LabelledRecord,
    OutputsRecord,
)
from tasks.reporting.records.labels import (
    EnsembleRecord,
    LabelRecord,
)
from tasks.reporting.records.rows import (
    CellRecord,
    ChampionRecord,
    RowRecord,
)
from tasks.reporting.records.run import CountsRecord, HardwareRecord, MemoryRecord, TrackingRecord
from tasks.reporting.records.studies import (
    CurveRecord,
    StudyRecords,
)

FORMAT = 4
"""Format of the file. Format 1 (version 0.1) had no key for what a run did not have; format 2 (0.2)
had no champion; format 3 counted frames, not clips, in hyper-validation."""

PAGE = "report.html"
"""A record's report; the last of the report's files to be written."""

EARLIER = (1, 2, 3)
"""Formats whose files may lack keys with a default."""

Paper = Mapping[str, Mapping[int, tuple[float, ...]]]
"""The paper's mean and standard error in per cent, by row and k."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """A finished reproduction.

    Attributes:
        format: format of the file.
        name: name of the reproduction.
        champion: the model to use; None in runs of earlier versions.
        identity: digest of settings and raw data.
        run_id: its MLflow run.
        experiment: name of the experiment.
        title: title of the experiment.
        note: opening text of the report.
        scale: scale of the experiment.
        seed: seed of the experiment.
        command: command that makes the same request.
        started: ISO 8601, UTC.
        finished: ISO 8601, UTC.
        seconds: time between the two.
        git_sha: commit of the code; None if it is not in a checkout.
        git_dirty: whether it had uncommitted changes.
        versions: versions of Python and packages.
        hardware: hardware of the run.
        settings: settings of the experiment, as in its file.
        classes: classes of the target.
        data: prepared splits.
        outputs: requested outputs; None for all, in records without a choice.
        tracking: MLflow's pages.
        rows: rows of the table, in order.
        cells: cells of the grid.
        pseudo_labels: labels that the rows are trained with.
        ensembles: data of figure 4.
        curves: data of figure 3.
        studies: studies beyond the paper.
        executed: numbers of trainings.
        paper: the paper's figures per image or frame.
        paper_clips: the paper's figures per clip.
        peak_memory: peak memory of the run.
        labelled: V given as labelled files; None if V was drawn.
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
    tracking: TrackingRecord = field(default_factory=TrackingRecord)
    rows: tuple[RowRecord, ...]
    cells: tuple[CellRecord, ...]
    pseudo_labels: tuple[LabelRecord, ...]
    ensembles: tuple[EnsembleRecord, ...] = ()
    curves: tuple[CurveRecord, ...] = ()
    studies: StudyRecords = field(default_factory=StudyRecords)
    executed: CountsRecord
    paper: Paper
    paper_clips: Paper = field(default_factory=dict)
    peak_memory: MemoryRecord | None = None
    labelled: LabelledRecord | None = None


def record_text(record: Record) -> str:
    """Content of the file."""
    return json.dumps(encode(record), indent=1) + "\n"


def read_record(path: Path) -> Record:
    """Read a record of this version or an earlier one.

    Raises:
        CodecError: if it has another version, or is not a record.
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
    """Decode a record from JSON of any format up to this one.

    Args:
        content: content of the file.
        name: name of the file in errors.

    Raises:
        CodecError: if it has another version, or is not a record.
    """
    found = content.get("format") if isinstance(content, dict) else "none"
    if found not in EARLIER and found != FORMAT:
        raise CodecError(
            f"{name}: expected a record of format 1 to {FORMAT}, found format {found}; use the "
            "version that made it, or gradmix reproduce makes it again."
        )
    if found in EARLIER:
        content = _without_frame_counts(content)
    return decode(Record, {**content, "format": FORMAT}, name=name, sparse=found in EARLIER)


def _without_frame_counts(content: dict[str, Any]) -> dict[str, Any]:
    """An earlier record of clips, whose number of hyper-validation clips is unknown."""
    if not any(entry.get("clips") for entry in content.get("data", [])):
        return content
    rows = [{**row, "held_out": None} for row in content["rows"]]
    champion = content.get("champion")
    return {**content, "rows": rows, "champion": champion and {**champion, "n": None}}
