"""What `gradmix rerun` does."""

from pathlib import Path
from typing import Any

from flows.cli.console import open_console
from flows.cli.reproduce import Engine, check_engine, checked_order, run_order
from flows.pipeline.plan import make_plan
from tasks.execution.environment import configure
from tasks.storage.home import check_home, open_home
from tasks.storage.remote import open_storage


def rerun_command(
    home: str,
    cell: str,
    *,
    download: bool,
    force: bool,
    engine: Engine,
    **words: Any,  # noqa: ANN401 - options
) -> None:
    """Run a cell and what is made from it, and list what ran."""
    screen = open_console()
    order, known = checked_order(screen, home, download=download, **words)
    configure(check_home(Path(home)))
    # Before anything is removed.
    check_engine(engine)
    # Only now: Prefect reads the environment when it is imported.
    from flows.rerun import Cell, forget, forgotten, made_from

    chosen = Cell.read(cell)
    labels = chosen.labels(order)
    folder = open_home(Path(home))
    known.save()
    storage = open_storage() if force else None
    plan = make_plan(order, folder, storage)
    chosen_entries = made_from(plan, labels)
    if force:
        names = forget(chosen_entries, folder, storage)
        plan = forgotten(plan, names)
        screen.print(f"Again: {chosen.words} and what is made from it, {len(names)} stages.")
    elif all(entry.state == "cached" for entry in chosen_entries):
        screen.print(
            f"Nothing to do: {chosen.words} and what is made from it are finished (--force).",
            soft_wrap=True,
        )
        return
    ran = run_order(screen, order, folder, engine, plan)
    screen.print(f"Ran {len(ran)} stages:")
    for label in ran:
        screen.print(f"  {label}", soft_wrap=True)
