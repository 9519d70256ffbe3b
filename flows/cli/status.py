"""What `gradmix status` and `gradmix cancel` do."""

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from flows.cli.console import existing_home, open_console
from flows.cli.progress import duration, running_table
from flows.monitoring.status_file import Status, read_statuses
from tasks.execution.environment import configure
from tasks.execution.fleet_state import Fleet, read_fleet
from tasks.execution.prefect_runs import PrefectDispatch
from tasks.storage.home import HomeError

WATCH_S = 2.0
STOP_S = 60.0


def status_command(home: str, *, as_json: bool, watch: bool) -> None:
    """Print what runs over a home folder, once or until it is interrupted."""
    folder, screen = existing_home(home), open_console()
    while True:
        statuses, fleet = read_statuses(folder), read_fleet(folder)
        if as_json:
            screen.print(json.dumps(_as_json(statuses, fleet), indent=1), soft_wrap=True)
        else:
            if watch and screen.is_terminal:
                screen.clear()
            _show(screen, statuses, fleet)
        if not watch:
            return
        time.sleep(WATCH_S)


def cancel_command(home: str, name: str | None) -> None:
    """Stop reproductions over a home folder, on whatever host they are."""
    folder, screen = existing_home(home), open_console()
    running = [status for status in read_statuses(folder) if not status.is_dead]
    chosen = [status for status in running if name in {None, status.name}]
    if name is not None and not chosen:
        known = ", ".join(status.name for status in running) or "there is none"
        raise HomeError(f"expected a running reproduction ({known}), found {name!r}; correct it.")
    configure(folder)
    for status in chosen:
        words = "Cancelled" if _cancel(status) else "Asked to stop, which it has not yet:"
        screen.print(f"{words} {status.name}; the same command goes on.", soft_wrap=True)
    if not chosen:
        screen.print("Nothing runs.")


def _cancel(status: Status) -> bool:
    run, dispatch = status.content["flow_run_id"], PrefectDispatch()
    if run is not None and os.environ.get("PREFECT_API_URL"):
        for job in dispatch.unfinished(run):
            dispatch.close(job, "CANCELLED", "Cancelled with gradmix cancel.")
        if status.content["deployed"] is not None:
            # Its worker stops it, wherever it is: a signal would be taken for a crash, after which
            # an automation would start it again.
            dispatch.ask_to_stop(status.content["deployed"])
            return status.has_ended(STOP_S)
    return status.stop(STOP_S)


def _as_json(statuses: list[Status], fleet: Fleet | None) -> dict[str, Any]:
    return {
        "reproductions": [{**status.content, "alive": not status.is_dead} for status in statuses],
        "fleet": None if fleet is None else fleet.to_json(),
    }


def _show(screen: Console, statuses: list[Status], fleet: Fleet | None) -> None:
    for status in statuses:
        _show_one(screen, status)
    if not statuses:
        screen.print("No reproduction runs over this home.")
    if fleet is not None:
        _show_fleet(screen, fleet)


def _show_one(screen: Console, status: Status) -> None:
    content = status.content
    state = "STOPPED (the same command goes on)" if status.is_dead else "running"
    screen.print(f"{status.name}  {state}  {_place(content)}", soft_wrap=True)
    done = content["finished"] + content["cached"]
    words = f"{done}/{content['trainings']} trainings done, {content['cached']} of them before"
    if content["left"] is not None:
        words += f", about {duration(content['left'])} left"
    screen.print(f"  {words}; {duration(content['elapsed'])} so far", soft_wrap=True)
    for label in content["failed"]:
        screen.print(f"  FAILED {label}", soft_wrap=True)
    if content["running"] and not status.is_dead:
        screen.print(running_table(content["running"]))


def _show_fleet(screen: Console, fleet: Fleet) -> None:
    screen.print(
        f"Fleet of {fleet.host}: Prefect {fleet.api_url.removesuffix('/api')}, "
        f"MLflow {fleet.mlflow_url or 'elsewhere'}",
        soft_wrap=True,
    )
    for child in fleet.children:
        alive = child.process is not None and child.process.alive
        state = f"pid {child.process.pid}" if alive and child.process else "being started again"
        starts = f", started {child.starts} times" if child.starts > 1 else ""
        screen.print(f"  {child.name}: {state}{starts}", soft_wrap=True)


def _place(content: Mapping[str, Any]) -> str:
    return f"{content['engine']} engine, pid {content['process']['pid']} on {content['host']}"
