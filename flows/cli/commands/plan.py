"""`gradmix plan`: show every stage with its state and reason, and estimate the time."""

from collections.abc import Sequence
from pathlib import Path

from data.counting import counted
from data.digest_cache import KnownDigests
from flows.cli.console import open_console
from flows.cli.progress import duration
from flows.cli.resolution import check_download, headline, resolve_request
from flows.experiment.run_request import RunRequest
from flows.monitoring.counts import TRAIN
from flows.pipeline.plan import PlanEntry, make_plan
from tasks.execution.slots import SlotPool
from tasks.reporting.text_tables import plain_table


def plan(request: RunRequest, *, home: Path, download: bool) -> None:
    """Print the plan of a run; executes and downloads nothing."""
    console = open_console()
    if download:
        check_download(request)
    known = KnownDigests(home)
    spec = resolve_request(console, request, home, known)
    # The only thing a plan writes, and only if the home folder exists.
    known.save()
    entries = make_plan(spec, home)
    console.print(f"{headline(spec)}.", soft_wrap=True)
    rows = [(entry.stage, entry.label, entry.state, entry.reason) for entry in entries]
    # A table of Rich takes seconds for thousands of lines.
    text = plain_table(("stage", "cell", "state", "because"), rows, left=range(4))
    console.out(text, highlight=False)
    console.print(_summary(entries))


def _summary(entries: Sequence[PlanEntry]) -> str:
    trainings = [entry for entry in entries if entry.stage == TRAIN]
    to_run = [entry for entry in trainings if entry.state != "cached"]
    known = [entry.seconds for entry in to_run if entry.seconds is not None]
    slots = len(SlotPool.of_this_machine(ask_torch=False).slots)
    words = f"{len(to_run):,} of {counted(len(trainings), 'training')} will run"
    if to_run and len(known) == len(to_run):
        words += f", about {duration(sum(known) / slots)} on {counted(slots, 'slot')}"
    return f"{words}."
