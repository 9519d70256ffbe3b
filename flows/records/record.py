"""The record of a reproduction: every figure of its report, and where each came from."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.experiment.run_spec import RunSpec
from flows.monitoring.event_log import Ledger
from flows.pipeline.futures import Pipeline
from flows.records.provenance import git_commit, hardware, versions
from flows.records.results import artifact_of, results
from flows.records.stored import FILE, FORMAT, record_folder
from tasks.reporting.report import write_report
from tasks.storage.artifacts import Artifact
from tasks.storage.home import write_atomically


def make_record(
    order: RunSpec,
    stages: Pipeline,
    ledger: Ledger,
    run_id: str,
    slots: list[str],
    home: Path,
    tracking: Mapping[str, str],
) -> dict[str, Any]:
    """Gather the record from finished stages, in plain JSON types.

    Args:
        order: what was asked for.
        stages: futures of everything.
        ledger: what happened.
        run_id: the reproduction's MLflow run.
        slots: names of the slots.
        home: folder of the artifacts.
        tracking: where MLflow's pages are, for links to runs.
    """
    experiment, finished = order.experiment, datetime.now(UTC)
    return {
        "format": FORMAT,
        "name": order.name,
        "identity": order.identity,
        "run_id": run_id,
        "experiment": experiment.name,
        "title": experiment.title,
        "note": experiment.note,
        "scale": experiment.scale,
        "seed": experiment.seed,
        "command": order.request.command,
        "started": ledger.started.isoformat(timespec="seconds"),
        "finished": finished.isoformat(timespec="seconds"),
        "seconds": round((finished - ledger.started).total_seconds(), 1),
        **git_commit(),
        "versions": versions(),
        "hardware": hardware(slots),
        "settings": experiment.model_dump(mode="json"),
        "classes": list(experiment.target.classes),
        "data": [
            _data(name, order.raw.digests[name, split], artifact_of(future))
            for (name, split), future in stages.data.items()
        ],
        "outputs": experiment.outputs.model_dump(mode="json"),
        "tracking": tracking,
        **results(order, stages.draws, home),
        "executed": {"trainings": ledger.executed, "cached": ledger.reused},
        "paper": experiment.paper,
        "paper_clips": experiment.paper_clips,
    }


def save_record(record: Mapping[str, Any], home: Path) -> Path:
    """Write the record and its report; returns their folder."""
    folder = record_folder(str(record["name"]), home)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / FILE, json.dumps(record, indent=1) + "\n")
    write_report(record, folder)
    return folder


def _data(name: str, raw: dict[str, str], prepared: Artifact) -> dict[str, Any]:
    return {
        "dataset": name,
        "reader": prepared.summary["dataset"],
        "split": prepared.summary["split"],
        "origin": prepared.summary["origin"],
        "official": prepared.summary["official"],
        "samples": prepared.summary["samples"],
        "clips": prepared.summary.get("clips"),
        "skipped": prepared.summary.get("skipped", {}),
        "broken": prepared.summary.get("broken", 0),
        "digest": prepared.digest,
        "raw": raw,
    }
