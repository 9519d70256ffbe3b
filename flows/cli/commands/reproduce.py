"""`gradmix reproduce`: run an experiment from raw data to its report."""

import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from data.counting import counted
from data.digest_cache import KnownDigests
from flows.cli.console import open_console, short
from flows.cli.progress import Progress
from flows.cli.resolution import fetch, headline, resolve_request
from flows.experiment.run_request import Engine, RunRequest
from flows.experiment.run_spec import RunSpec
from flows.monitoring.counts import Counts, Observer, Work
from flows.pipeline.plan import PlanEntry, make_plan
from flows.records.stored import FILE, stored_record
from tasks.errors import StageError
from tasks.execution.prefect_server import starting_server
from tasks.execution.prefect_settings import load_prefect
from tasks.execution.slots import SlotPool
from tasks.execution.template import Template
from tasks.redaction import redacted, without_login
from tasks.reporting.record import PAGE
from tasks.storage.database_url import sqlite_url
from tasks.storage.home import open_home
from tasks.tracking.mlflow_store import load_mlflow
from tasks.tracking.tracker import DATABASE


def reproduce(request: RunRequest, *, home: Path, download: bool, engine: Engine) -> None:
    """Check everything, run what is missing, print the table."""
    resolve_and_run(open_console(), request, home=home, download=download, engine=engine)


def resolve_and_run(
    console: Console, request: RunRequest, *, home: Path, download: bool, engine: Engine
) -> RunSpec:
    """Check everything, run what is missing, print the table; returns the run specification."""
    check_engine(engine)
    if download:
        fetch(console, request)
    known = KnownDigests(home)
    spec = resolve_request(console, request, home, known)
    open_home(home)
    known.save()
    run_spec(console, spec, home, engine, make_plan(spec, home))
    return spec


def check_engine(engine: Engine) -> None:
    """Check that there is a server for workers; its address is in the environment by now.

    Raises:
        StageError: if there is no server.
    """
    if engine == "workers" and not os.environ.get("PREFECT_API_URL"):
        raise StageError(
            "--engine workers: expected a fleet over this home, or PREFECT_API_URL, found neither; "
            "start one with gradmix up."
        )


def run_spec(
    console: Console, spec: RunSpec, home: Path, engine: Engine, plan: Sequence[PlanEntry]
) -> list[str]:
    """Run what is missing from a plan and print the table; returns the labels of what ran."""
    slots = len(SlotPool.of_this_machine().slots) if engine == "local" else 0
    work = Work.of(plan, slots)
    where = counted(slots, "slot") if slots else "the workers of the fleet"
    console.print(
        f"{headline(spec)}, {counted(work.trainings, 'training')} "
        f"({work.trainings - len(work.to_run)} cached) on {where}.",
        soft_wrap=True,
    )
    counts = Counts(work)
    # Treated like Ctrl-C, which `gradmix cancel` cannot send, as background commands ignore it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with starting_server(home) as ready, Template() as template:
        if work.to_run and engine == "local":
            template.start()
        # Importing Prefect and MLflow takes seconds, in which Prefect's server and the template
        # start.
        load_prefect()
        from flows.cli.flow_run import run_flow  # noqa: PLC0415

        load_mlflow()
        with ready(), Progress(console, counts).shown() as listener:
            folder = run_flow(spec, home, engine, Observer(work=work, listen=listener), template)
    # Imported only now: torch and matplotlib would delay the first training by seconds.
    from tasks.reporting.evidence import evidence_line  # noqa: PLC0415
    from tasks.reporting.report import result_table, table_text  # noqa: PLC0415
    from tasks.reporting.sections.mlflow_runs import all_runs  # noqa: PLC0415

    record = stored_record(folder / FILE)
    console.print(table_text(result_table(record)), soft_wrap=True)
    if evidence := evidence_line(record):
        console.print(evidence, soft_wrap=True)
    console.print(f"Report: {short(folder / PAGE)}", soft_wrap=True)
    console.print(f"MLflow: {open_tracking(home)}", soft_wrap=True)
    if address := all_runs(record):
        console.print(f"Runs: {address}", soft_wrap=True)
    return [event.label for event in counts.ended("finished")]


def open_tracking(home: Path) -> str:
    """How to view the tracked runs: the server's address, or a command that opens MLflow."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or sqlite_url(home / DATABASE)
    if uri.startswith(("http:", "https:")):
        return without_login(uri)
    mlflow = Path(sys.executable).with_name("mlflow")
    return shlex.join([short(mlflow), "ui", "--backend-store-uri", redacted(uri)])
