"""Publishes a finished run: model folder, record, report, and its pages in Prefect and MLflow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.experiment.run_spec import RunSpec
from flows.monitoring.event_log import EventLog
from flows.pipeline.futures import Pipeline
from flows.records.champion import track_results
from flows.records.model_folder import write_champion
from flows.records.record import make_record, refresh_record, save_record
from flows.records.run_pages import announce_results, track_summary
from flows.records.stored import FILE, is_readable, record_folder, stored_record
from tasks.tracking.tracker import Tracker


def publish(
    spec: RunSpec,
    stages: Pipeline,
    event_log: EventLog,
    tracker: Tracker,
    *,
    run_id: str,
    home: Path,
    slots: list[str],
    peak_memory: Mapping[str, Any],
) -> Path:
    """Write the results of a run to the home folder, then show them in Prefect and MLflow.

    Args:
        spec: the run specification.
        stages: its finished stages.
        event_log: what was executed; if nothing was, the existing record is kept.
        tracker: tracker to write to.
        run_id: MLflow run of the reproduction.
        home: the home folder.
        slots: names of the slots that trained.
        peak_memory: figures for the record.

    Returns:
        Folder of the record.
    """
    folder, model = record_folder(spec.name, home), write_champion(spec, stages, home, run_id)
    if event_log.executed or not is_readable(folder / FILE):
        record = make_record(
            spec, stages, event_log, run_id, slots, home, tracker.pages(), peak_memory
        )
        save_record(record, home)
    else:
        refresh_record(spec, stages, home)
    record = stored_record(folder / FILE)
    announce_results(spec.name, record, folder)
    track_results(spec, stages, tracker, run_id, model)
    tracker.log_artifact(run_id, folder)
    track_summary(tracker, run_id, record)
    tracker.log_table(run_id, "cells.csv", event_log.cells())
    return folder
