"""What `gradmix rerun` does."""

from pathlib import Path
from typing import Any

from flows.cli.console import open_console
from flows.cli.reproduce import check_engine, checked_order, run_order
from flows.pipeline.plan import make_plan
from tasks.execution.environment import configure
from tasks.storage.home import check_home, open_home


def rerun_command(
    home: str,
    cell: str,
    *,
    download: bool,
    force: bool,
    engine: str,
    **words: Any,  # noqa: ANN401 - options
) -> None:
    """Run a cell and what is made from it, and list what ran."""
    screen = open_console()
    order, known = checked_order(screen, home, download=download, **words)
    configure(check_home(Path(home)))
    # Before anything is removed.
    check_engine(engine)
    # Only now: Prefect reads the environment when it is imported.
    from flows.rerun import Cell, forget, made_from

    chosen = Cell.read(cell)
    labels = chosen.labels(order)
    folder = open_home(Path(home))
    known.save()
    entries = made_from(make_plan(order, folder), labels)
    missing = [entry for entry in entries if entry.state != "cached"]
    if force:
        names = forget(order, folder, chosen)
        screen.print(f"Again: {chosen.words} and what is made from it, {len(names)} stages.")
    elif not missing:
        screen.print(
            f"Nothing to do: {chosen.words} and what is made from it are finished (--force).",
            soft_wrap=True,
        )
        return
    ran = run_order(screen, order, folder, engine)
    screen.print(f"Ran {len(ran)} stages:")
    for label in ran:
        screen.print(f"  {label}", soft_wrap=True)
