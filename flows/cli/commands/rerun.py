"""`gradmix rerun`: rerun one cell of the grid and everything made from it."""

from pathlib import Path

from data.counting import counted
from data.digest_cache import KnownDigests
from flows.cli.commands.reproduce import check_engine, run_spec
from flows.cli.console import open_console
from flows.cli.resolution import fetch, resolve_request
from flows.experiment.run_request import Engine, RunRequest
from flows.pipeline.plan import make_plan
from flows.rerun import Cell, forget, forgotten, made_from
from tasks.storage.home import open_home
from tasks.storage.remote import open_storage


def rerun(
    request: RunRequest, *, home: Path, download: bool, engine: Engine, cell: str, force: bool
) -> None:
    """Run a cell and everything made from it, and list what ran."""
    console, chosen = open_console(), Cell.read(cell)
    # Before anything is removed.
    check_engine(engine)
    if download:
        fetch(console, request)
    known = KnownDigests(home)
    spec = resolve_request(console, request, home, known)
    subjects = chosen.subjects(spec)
    open_home(home)
    known.save()
    storage = open_storage() if force else None
    plan = make_plan(spec, home, storage)
    entries = made_from(plan, subjects)
    if force:
        names = forget(entries, home, storage)
        plan = forgotten(plan, names)
        console.print(
            f"Again: {chosen.words} and what is made from it, {counted(len(names), 'stage')}."
        )
    elif all(entry.state == "cached" for entry in entries):
        console.print(
            f"Nothing to do: {chosen.words} and what is made from it are finished (--force).",
            soft_wrap=True,
        )
        return
    ran = run_spec(console, spec, home, engine, plan)
    console.print(f"Ran {counted(len(ran), 'stage')}:")
    for label in ran:
        console.print(f"  {label}", soft_wrap=True)
