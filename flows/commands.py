"""What the commands do, behind the option parsing of `flows.cli`."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from flows.order import Invocation, place_order
from flows.plan import PlanEntry, make_plan
from flows.progress import Progress, duration
from flows.raw import download_raw
from flows.record import FILE, FOLDER
from tasks.environment import configure
from tasks.home import MARKER, HomeError, open_home
from tasks.report import result_table, table_text, write_report
from tasks.slots import SlotPool

TRAIN = "train"
PLAIN_WIDTH = 160
"""Columns of output that no terminal shows."""


def reproduce_command(home: str, *, download: bool, **words: Any) -> None:  # noqa: ANN401 - options
    """Check everything, run what is missing, print the table."""
    console = _console()
    invocation = _invocation(**words)
    if download:
        _download(invocation, console)
    order = place_order(invocation)
    folder = open_home(Path(home))
    entries = make_plan(order, folder)
    trainings = [entry for entry in entries if entry.stage == TRAIN]
    to_run = sum(entry.state != "cached" for entry in trainings)
    slots = len(SlotPool.of_this_machine().slots)
    console.print(
        f"{order.experiment.title}: scale {order.experiment.scale}, "
        f"{'real' if order.raw.root else 'embedded'} data, {len(trainings)} trainings "
        f"({len(trainings) - to_run} cached) on {slots} slots.",
        highlight=False,
    )
    configure(folder)
    # Only now: Prefect and MLflow read the environment when they are imported.
    from flows.reproduce import LISTENER, reproduce
    from tasks.server import prefect_server

    progress = Progress(console, len(trainings), to_run, slots)
    with prefect_server(folder), progress.shown() as listener:
        token = LISTENER.set(listener)
        try:
            record_folder = reproduce(**invocation.parameters, home=str(folder))
        finally:
            LISTENER.reset(token)
    _show_result(console, Path(record_folder))
    console.print(f"Report: {_short(Path(record_folder) / 'report.md')}", highlight=False)
    console.print(f"MLflow: {ui_command(folder)}", highlight=False, soft_wrap=True)


def plan_command(home: str, *, download: bool, **words: Any) -> None:  # noqa: ANN401 - options
    """Print every stage with its state and why, and an estimate of the time."""
    del download  # a plan fetches nothing
    console = _console()
    order = place_order(_invocation(**words))
    entries = make_plan(order, Path(home).expanduser().absolute())
    table = Table(box=None, pad_edge=False)
    for column in ("stage", "cell", "state", "because"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        table.add_row(entry.stage, entry.label, entry.state, entry.reason)
    console.print(table)
    console.print(_plan_summary(entries), highlight=False)


def report_command(run: str, home: str) -> None:
    """Write a reproduction's report again, from its record."""
    folder = Path(home).expanduser().absolute()
    if not (folder / MARKER).exists():
        raise HomeError(f"expected a gradmix home, found none in {folder}; name it with --home.")
    configure(folder)
    record = _find_record(run, folder)
    target = folder / FOLDER / str(record["name"])
    target.mkdir(parents=True, exist_ok=True)
    console = _console()
    for path in write_report(record, target):
        console.print(_short(path), highlight=False, soft_wrap=True)


def ui_command(home: Path) -> str:
    """The one command that opens MLflow on a home folder."""
    mlflow = Path(sys.executable).with_name("mlflow")
    uri = f"sqlite:///{home / 'mlflow.db'}"
    return shlex.join([_short(mlflow), "ui", "--backend-store-uri", uri])


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=PLAIN_WIDTH)


def _invocation(k: tuple[int, ...], **words: Any) -> Invocation:  # noqa: ANN401 - options
    return Invocation(k=tuple(k), **words)


def _download(invocation: Invocation, console: Console) -> None:
    if invocation.data is None:
        from flows.experiment_file import SettingsError

        raise SettingsError(
            "--download: expected --data DIR, the folder to fetch into, found none."
        )
    console.print(f"Fetching what is missing in {invocation.data} ...", highlight=False)
    download_raw(invocation.settings(), Path(invocation.data).expanduser())


def _show_result(console: Console, folder: Path) -> None:
    record = json.loads((folder / FILE).read_text(encoding="utf-8"))
    console.print(table_text(result_table(record)), highlight=False, soft_wrap=True)


def _plan_summary(entries: list[PlanEntry]) -> str:
    trainings = [entry for entry in entries if entry.stage == TRAIN]
    to_run = [entry for entry in trainings if entry.state != "cached"]
    known = [entry.seconds for entry in to_run if entry.seconds is not None]
    slots = len(SlotPool.of_this_machine().slots)
    words = f"{len(to_run)} of {len(trainings)} trainings will run"
    if to_run and len(known) == len(to_run):
        words += f", about {duration(sum(known) / slots)} on {slots} slots"
    return f"{words}."


def _find_record(run: str, home: Path) -> dict[str, Any]:
    """The record of that name in the home folder, or of that MLflow run."""
    for path in sorted((home / FOLDER).glob(f"*/{FILE}")):
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if run in {record["name"], record["run_id"]}:
            return record
    known = sorted(path.parent.name for path in (home / FOLDER).glob(f"*/{FILE}"))
    raise HomeError(
        f"expected a finished reproduction ({', '.join(known) or 'there is none yet'}) or the id "
        f"of its MLflow run, found {run!r}; start one with gradmix reproduce."
    )


def _short(path: Path) -> str:
    """A path relative to here, where that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
