"""`gradmix status`: show what is running over a home folder."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from data.counting import counted
from flows.cli.console import expect_home, open_console
from flows.cli.progress import duration, running_table
from flows.monitoring.status_file import Status, read_statuses
from tasks.execution.fleet_state import Fleet, read_fleet

WATCH_S = 2.0


def status(*, home: Path, as_json: bool, watch: bool) -> None:
    """Print what is running, once or until interrupted."""
    expect_home(home)
    console = open_console()
    while True:
        statuses, fleet = read_statuses(home), read_fleet(home)
        if as_json:
            console.print(json.dumps(_as_json(statuses, fleet), indent=1), soft_wrap=True)
        else:
            if watch and console.is_terminal:
                console.clear()
            _show(console, statuses, fleet)
        if not watch:
            return
        time.sleep(WATCH_S)


def _as_json(statuses: list[Status], fleet: Fleet | None) -> dict[str, Any]:
    return {
        "reproductions": [{**status.content, "alive": not status.is_dead} for status in statuses],
        "fleet": None if fleet is None else fleet.to_json(),
    }


def _show(console: Console, statuses: list[Status], fleet: Fleet | None) -> None:
    for status in statuses:
        _show_one(console, status)
    if not statuses:
        console.print("No reproduction is running over this home.")
    if fleet is not None:
        _show_fleet(console, fleet)


def _show_one(console: Console, status: Status) -> None:
    content = status.content
    state = "STOPPED (the same command continues)" if status.is_dead else "running"
    console.print(f"{status.name}  {state}  {_place(content)}", soft_wrap=True)
    done = content["finished"] + content["cached"]
    words = (
        f"{done}/{counted(content['trainings'], 'training')} done, {content['cached']} "
        "of them cached"
    )
    if content["left"] is not None:
        words += f", about {duration(content['left'])} left"
    console.print(f"  {words}; {duration(content['elapsed'])} so far", soft_wrap=True)
    if content.get("mlflow"):
        console.print(f"  MLflow: {content['mlflow']}", soft_wrap=True)
    for label in content["failed"]:
        console.print(f"  FAILED {label}", soft_wrap=True)
    if content["running"] and not status.is_dead:
        console.print(running_table(content["running"]))


def _show_fleet(console: Console, fleet: Fleet) -> None:
    console.print(
        f"Fleet of {fleet.host}: Prefect {fleet.api_url.removesuffix('/api')}, "
        f"MLflow {fleet.mlflow_url or 'elsewhere'}",
        soft_wrap=True,
    )
    for child in fleet.children:
        alive = child.process is not None and child.process.alive
        state = f"pid {child.process.pid}" if alive and child.process else "restarting"
        starts = f", {child.starts} starts" if child.starts > 1 else ""
        slots = f", slots {', '.join(child.slots)}" if child.slots else ""
        console.print(f"  {child.name}: {state}{starts}{slots}", soft_wrap=True)


def _place(content: Mapping[str, Any]) -> str:
    return f"{content['engine']} engine, pid {content['process']['pid']} on {content['host']}"
