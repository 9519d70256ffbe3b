"""`gradmix cancel`: stop reproductions over a home folder, on any host."""

import os
from pathlib import Path

from flows.cli.console import expect_home, open_console
from flows.monitoring.status_file import Status, read_statuses
from tasks.execution.prefect_runs import PrefectDispatch
from tasks.storage.home import HomeError

STOP_S = 60.0


def cancel(name: str | None, *, home: Path) -> None:
    """Stop the reproduction of that name, or all of them."""
    expect_home(home)
    console = open_console()
    running = [status for status in read_statuses(home) if not status.is_dead]
    chosen = [status for status in running if name in {None, status.name}]
    if name is not None and not chosen:
        known = ", ".join(status.name for status in running) or "there is none"
        raise HomeError(f"expected a running reproduction ({known}), found {name!r}; correct it.")
    for status in chosen:
        words = "Cancelled" if _cancel(status) else "Asked to stop, but still running:"
        console.print(f"{words} {status.name}; the same command continues.", soft_wrap=True)
    if not chosen:
        console.print("Nothing is running.")


def _cancel(status: Status) -> bool:
    run, dispatch = status.content["flow_run_id"], PrefectDispatch()
    if run is not None and os.environ.get("PREFECT_API_URL"):
        for job in dispatch.unfinished(run):
            dispatch.close(job, "CANCELLED", "Cancelled with gradmix cancel.")
        if status.content["deployed"] is not None:
            # Its worker stops it, on any host: a signal would count as a crash, and an automation
            # would restart it.
            dispatch.ask_to_stop(status.content["deployed"])
            return status.has_ended(STOP_S)
    return status.stop(STOP_S)
