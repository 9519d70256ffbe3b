"""What the commands do, behind the option parsing of `flows.cli.main`."""

import json
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from data.digest_cache import KnownDigests
from flows.cli.console import existing_home, open_console, short
from flows.cli.progress import Progress, duration
from flows.experiment.experiment_file import SettingsError
from flows.experiment.inputs import download_raw
from flows.experiment.run_spec import RunRequest, RunSpec, resolve
from flows.experiment.settings import Experiment
from flows.monitoring.counts import TRAIN, Board, Work
from flows.pipeline.plan import PlanEntry, make_plan
from flows.records.record import FILE, FOLDER, FORMAT
from tasks.errors import StageError
from tasks.execution.environment import configure
from tasks.execution.slots import SlotPool
from tasks.networks.weights import IMAGENET
from tasks.reporting.report import result_table, table_text, write_report
from tasks.storage.home import HomeError, check_home, open_home

Engine = Literal["local", "workers"]
LOCAL: Engine = "local"


def reproduce_command(home: str, *, download: bool, engine: Engine, **words: Any) -> None:  # noqa: ANN401 - options
    """Check everything, run what is missing, print the table."""
    console = open_console()
    order, known = checked_order(console, home, download=download, **words)
    folder = open_home(Path(home))
    known.save()
    configure(folder)
    check_engine(engine)
    run_order(console, order, folder, engine, make_plan(order, folder))


def checked_order(
    console: Console,
    home: str,
    *,
    download: bool,
    **words: Any,  # noqa: ANN401 - options
) -> tuple[RunSpec, KnownDigests]:
    """Fetch what is to be fetched and check everything; writes nothing under the home folder."""
    invocation = _invocation(**words)
    if download:
        _download(invocation, console)
    known = KnownDigests(check_home(Path(home)))
    with _looking(console, invocation):
        return resolve(invocation, known), known


def run_order(
    console: Console, order: RunSpec, folder: Path, engine: Engine, plan: Sequence[PlanEntry]
) -> list[str]:
    """Run what a plan lacks and print the table; returns labels of what ran."""
    slots = len(SlotPool.of_this_machine().slots) if engine == LOCAL else 0
    work = Work.of(plan, slots)
    where = f"{slots} slots" if slots else "the workers of the fleet"
    console.print(
        f"{_headline(order)}, {work.trainings} trainings "
        f"({work.trainings - len(work.to_run)} cached) on {where}.",
        soft_wrap=True,
    )
    # Only now: Prefect and MLflow read the environment when they are imported.
    from httpx import HTTPError
    from prefect.exceptions import PrefectException

    from flows.reproduce import Observer, start
    from tasks.execution.prefect_server import ServerError, prefect_server

    board = Board(work)
    # As Ctrl-C, which `gradmix cancel` cannot send: a shell has background commands ignore it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with prefect_server(folder), Progress(console, board).shown() as listener:
        try:
            record_folder = start(order, folder, engine, Observer(work=work, listen=listener))
        except (HTTPError, PrefectException) as error:
            raise ServerError(
                f"expected Prefect's server to answer, found {type(error).__name__}: {error}; its "
                f"log is {folder / 'prefect' / 'server.log'}; the same command goes on."
            ) from error
    _show_result(console, record_folder)
    console.print(f"Report: {short(record_folder / 'report.html')}", soft_wrap=True)
    console.print(f"MLflow: {open_tracking(folder)}", soft_wrap=True)
    return [event.label for event in board.ended("finished")]


def check_engine(engine: Engine) -> None:
    """Workers need a server, which `configure` has found by now if there is one.

    Raises:
        StageError: if there is none.
    """
    if engine != LOCAL and not os.environ.get("PREFECT_API_URL"):
        raise StageError(
            "--engine workers: expected a fleet over this home, or PREFECT_API_URL, found neither; "
            "start one with gradmix up."
        )


def plan_command(home: str, *, download: bool, **words: Any) -> None:  # noqa: ANN401 - options
    """Print every stage with its state and why, and an estimate of the time."""
    console = open_console()
    # Of what --download would fetch, a plan tells that it is missing.
    folder, invocation = check_home(Path(home)), _invocation(**words)
    if download:
        _check_download(invocation)
    known = KnownDigests(folder)
    with _looking(console, invocation):
        order = resolve(invocation, known)
    # The one thing that a plan writes, and only where there is a home.
    known.save()
    entries = make_plan(order, folder)
    console.print(f"{_headline(order)}.", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in ("stage", "cell", "state", "because"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        table.add_row(entry.stage, entry.label, entry.state, entry.reason)
    console.print(table)
    console.print(_plan_summary(entries))


def report_command(run: str, home: str) -> None:
    """Write a reproduction's report again, from its record."""
    folder = existing_home(home)
    record = find_record(run, folder)
    target = folder / FOLDER / str(record["name"])
    target.mkdir(parents=True, exist_ok=True)
    console = open_console()
    for path in write_report(record, target):
        console.print(short(path), soft_wrap=True)


def open_tracking(home: Path) -> str:
    """How to see what was tracked: the server's address, or the one command that opens MLflow."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}"
    if uri.startswith(("http:", "https:")):
        return uri
    mlflow = Path(sys.executable).with_name("mlflow")
    return shlex.join([short(mlflow), "ui", "--backend-store-uri", uri])


def _looking(console: Console, invocation: RunRequest) -> AbstractContextManager[object]:
    """A sign of life while gigabytes are read for the first time."""
    if invocation.data is None or not console.is_terminal:
        return nullcontext()
    return console.status(f"Looking at the files in {invocation.data} ...")


def _headline(order: RunSpec) -> str:
    """What runs, and on which data."""
    experiment = order.experiment
    kind = "embedded" if order.raw.root is None else "real"
    return f"{experiment.title}: scale {experiment.scale}, {kind} data"


def _invocation(*, k: tuple[int, ...], **words: Any) -> RunRequest:  # noqa: ANN401 - options
    return RunRequest(k=tuple(k), **words)


def _check_download(invocation: RunRequest) -> Experiment:
    """The experiment, if there is something that can be fetched for it."""
    experiment = invocation.settings()
    if invocation.data is None and experiment.network.weights != IMAGENET:
        raise SettingsError(
            "--download: expected --data DIR, the folder to fetch into, found none; add it."
        )
    return experiment


def _download(invocation: RunRequest, console: Console) -> None:
    experiment = _check_download(invocation)
    where = f" in {invocation.data}" if invocation.data is not None else ""
    console.print(f"Fetching what is missing{where} ...", soft_wrap=True)
    root = None if invocation.data is None else Path(invocation.data).expanduser()
    download_raw(experiment, root)


def _show_result(console: Console, folder: Path) -> None:
    record = json.loads((folder / FILE).read_text(encoding="utf-8"))
    console.print(table_text(result_table(record)), soft_wrap=True)


def _plan_summary(entries: list[PlanEntry]) -> str:
    trainings = [entry for entry in entries if entry.stage == TRAIN]
    to_run = [entry for entry in trainings if entry.state != "cached"]
    known = [entry.seconds for entry in to_run if entry.seconds is not None]
    slots = len(SlotPool.of_this_machine().slots)
    words = f"{len(to_run)} of {len(trainings)} trainings will run"
    if to_run and len(known) == len(to_run):
        words += f", about {duration(sum(known) / slots)} on {slots} slots"
    return f"{words}."


def find_record(run: str, home: Path) -> dict[str, Any]:
    """The record of that name in the home folder, or of that MLflow run."""
    known = []
    for path in sorted((home / FOLDER).glob(f"*/{FILE}")):
        record = _read_record(path)
        known.append(str(record["name"]))
        if run in {record["name"], record["run_id"]}:
            return record
    raise HomeError(
        f"expected a finished reproduction ({', '.join(known) or 'there is none yet'}) or the id "
        f"of its MLflow run, found {run!r}; start one with gradmix reproduce."
    )


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = record["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HomeError(
            f"expected the record of a reproduction, found an unreadable {path}; remove it, and "
            "gradmix reproduce makes it again."
        ) from error
    if found != FORMAT:
        raise HomeError(
            f"expected a record of format {FORMAT}, found format {found} in {path}; use the "
            "version that made it, or gradmix reproduce makes it again."
        )
    return record
