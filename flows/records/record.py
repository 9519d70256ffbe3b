"""The record of a reproduction, built from finished stages."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from data.atomic import write_atomically
from flows.experiment.run_spec import RunSpec
from flows.monitoring.event_log import EventLog
from flows.pipeline.futures import Pipeline
from flows.records.labelled import labelled_record
from flows.records.model_folder import champion_record
from flows.records.provenance import git_commit, hardware, versions
from flows.records.results import results
from flows.records.row_results import with_held_out
from flows.records.stage_results import artifact_of
from flows.records.stored import FILE, record_folder, stored_record
from tasks.codec import decode
from tasks.reporting.record import FORMAT, PAGE, Paper, Record, record_text
from tasks.reporting.records.inputs import DataRecord, OutputsRecord
from tasks.reporting.records.run import CountsRecord, HardwareRecord, MemoryRecord, TrackingRecord
from tasks.reporting.report import write_report
from tasks.storage.artifacts import Artifact


def make_record(
    spec: RunSpec,
    stages: Pipeline,
    event_log: EventLog,
    run_id: str,
    slots: list[str],
    home: Path,
    tracking: Mapping[str, str],
    memory: Mapping[str, float],
) -> Record:
    """Build the record from finished stages.

    Args:
        spec: the run specification.
        stages: futures of everything.
        event_log: log of the run's events.
        run_id: the reproduction's MLflow run.
        slots: names of the slots.
        home: home folder with the artifacts.
        tracking: addresses of MLflow's pages, for links to runs.
        memory: peaks, in MiB.
    """
    experiment, finished, commit = spec.experiment, datetime.now(UTC), git_commit()
    return Record(
        format=FORMAT,
        name=spec.name,
        champion=champion_record(spec, stages),
        identity=spec.identity,
        run_id=run_id,
        experiment=experiment.name,
        title=experiment.title,
        note=experiment.note,
        scale=experiment.scale,
        seed=experiment.seed,
        command=spec.request.command,
        started=event_log.started.isoformat(timespec="seconds"),
        finished=finished.isoformat(timespec="seconds"),
        seconds=round((finished - event_log.started).total_seconds(), 1),
        git_sha=commit["git_sha"],
        git_dirty=commit["git_dirty"],
        versions=versions(),
        hardware=decode(HardwareRecord, hardware(slots)),
        settings=experiment.model_dump(mode="json"),
        classes=tuple(experiment.target.classes),
        data=tuple(
            _data(name, spec.raw.digests[name, split], artifact_of(future))
            for (name, split), future in stages.data.items()
        ),
        outputs=OutputsRecord(
            rows=experiment.outputs.rows,
            tables=experiment.outputs.tables,
            figures=experiment.outputs.figures,
            studies=experiment.outputs.studies,
        ),
        tracking=TrackingRecord(
            ui=tracking.get("ui", ""), experiment_id=tracking.get("experiment_id")
        ),
        **vars(results(spec, stages, home)),
        executed=CountsRecord(trainings=event_log.executed, cached=event_log.reused),
        paper=_paper(experiment.paper),
        paper_clips=_paper(experiment.paper_clips),
        peak_memory=MemoryRecord(**memory),
        labelled=labelled_record(spec, stages, home),
    )


def save_record(record: Record, home: Path) -> Path:
    """Write the record and its report; returns their folder."""
    folder = record_folder(record.name, home)
    folder.mkdir(parents=True, exist_ok=True)
    # Removed first: if this run is killed, the missing page tells the next to write the report.
    (folder / PAGE).unlink(missing_ok=True)
    write_atomically(folder / FILE, record_text(record))
    write_report(record, folder)
    return folder


def refresh_record(spec: RunSpec, stages: Pipeline, home: Path) -> None:
    """Complete a stored record and its report.

    Records of earlier versions may lack the champion and the numbers of labels, and a run that was
    killed its report.
    """
    folder = record_folder(spec.name, home)
    stored = stored_record(folder / FILE)
    complete = replace(
        stored,
        champion=champion_record(spec, stages),
        rows=with_held_out(stored.rows, stages.draws),
    )
    if stored != complete or not (folder / PAGE).exists():
        save_record(complete, home)


def _paper(figures: Mapping[str, Mapping[str, tuple[float, ...]]]) -> Paper:
    return {
        row: {int(k): tuple(values) for k, values in by_k.items()} for row, by_k in figures.items()
    }


def _data(name: str, raw: Mapping[str, str], prepared: Artifact) -> DataRecord:
    summary = prepared.summary
    return DataRecord(
        dataset=name,
        reader=summary["dataset"],
        split=summary["split"],
        origin=summary["origin"],
        official=summary["official"],
        samples=summary["samples"],
        clips=summary.get("clips"),
        skipped=summary.get("skipped", {}),
        broken=summary.get("broken", 0),
        digest=prepared.digest,
        raw=raw,
    )
