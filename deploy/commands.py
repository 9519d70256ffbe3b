"""`gradmix up`, `down` and `deploy`.

Prefect reads the environment on import, and its server's address is known only once the fleet has
started. So `deploy.declare` is imported after that, inside functions.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

from deploy.options import Options, share_password, take_password
from deploy.pools import DRIVERS, POOLS
from deploy.preflight import refuse
from deploy.services import slots
from tasks.execution.environment import configure
from tasks.execution.fleet_state import (
    FAILED_STARTS,
    FOLDER,
    Child,
    Fleet,
    FleetError,
    log_file,
    read_fleet,
    read_state,
    state_file,
)
from tasks.execution.parent_death import python_module
from tasks.execution.prefect_settings import load_prefect
from tasks.execution.processes import last_line
from tasks.storage.home import open_home
from tasks.storage.locks import locked

START_S = 180.0
STOP_S = 45.0
_POLL_S = 0.2
_READABLE = (
    "gradmix: --join: everybody on this host can read a command's password while it runs, and the "
    "shell keeps it; set PREFECT_API_AUTH_STRING (user:password), and leave it out of the address."
)


def up(
    *,
    home: Path,
    workers: int | None,
    slots_per_gpu: int,
    host: str,
    prefect_port: int,
    mlflow_port: int,
    join: str | None,
) -> None:
    """Start a supervisor unless one is running, wait until ready, declare, print addresses."""
    address = None if join is None else take_password(join)
    if address != join:
        click.echo(_READABLE, err=True)
    options = Options(home, workers, host, prefect_port, mlflow_port, address, slots_per_gpu)
    options.check()
    open_home(home)
    began = datetime.now(UTC)
    # The second of two concurrent commands finds the fleet of the first.
    with locked(home / FOLDER / ".up.lock"):
        if read_fleet(home) is None:
            _check(options, home)
            refuse(options)
            _start(options, home)
        else:
            began = datetime.min.replace(tzinfo=UTC)
            click.echo(f"A fleet runs over {home} on this host already.")
    fleet = _ready(home)
    configure(home)
    share_password()
    load_prefect()
    if fleet.servers:
        _declare()
    _wait_for_workers(fleet, home, began)
    _show(fleet)


def down(*, home: Path) -> None:
    """Stop the fleet on this host over a home folder, if there is one."""
    fleet = read_state(state_file(home))
    if fleet is None:
        click.echo(f"No fleet runs over {home} on this host.")
        return
    left = _stop(fleet)
    state_file(home).unlink(missing_ok=True)
    killed = f"; killed what was left: {', '.join(left)}" if left else ""
    click.echo(f"Stopped the fleet over {home}{killed}.")


def deploy(*, home: Path) -> None:
    """Declare pools, deployments and automations, and list them."""
    folder = open_home(home)
    configure(folder)
    share_password()
    load_prefect()
    for line in _declare():
        click.echo(line)


def _check(options: Options, home: Path) -> None:
    """Report errors here that would otherwise be tracebacks in the logs of servers and workers."""
    before = dict(os.environ)
    try:
        configure(home)
        load_prefect()
        slots(options)
    finally:
        # `configure` named the home's own database, but the fleet has servers.
        os.environ.clear()
        os.environ.update(before)


def _declare() -> list[str]:
    from deploy.declare import declare, read_deployments  # noqa: PLC0415 - imports Prefect

    declared = declare(read_deployments())
    lines = [f"work pool   {pool.name}" for pool in POOLS]
    lines += [f"deployment  {name}/gradmix" for name in declared.deployments]
    return lines + [f"automation  {name}" for name in declared.automations]


def _start(options: Options, home: Path) -> None:
    """Start a supervisor that outlives this terminal, and wait for its state file."""
    log = log_file(home, "supervisor")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    command = [*python_module("deploy.supervisor"), options.to_text()]
    with log.open("ab") as output:
        supervisor = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=home,
            start_new_session=True,
        )
    _wait(lambda: read_fleet(home) is not None or supervisor.poll() is not None, START_S)
    if read_fleet(home) is None:
        supervisor.kill()
        raise _failure(log)


def _ready(home: Path) -> Fleet:
    """Wait until the fleet's servers answer."""
    fleet = read_fleet(home)

    def decided() -> bool:
        nonlocal fleet
        fleet = read_fleet(home)
        return fleet is None or fleet.ready or bool(_failing(fleet))

    _wait(decided, START_S)
    if fleet is not None and fleet.ready:
        return fleet
    failing = _failing(fleet) if fleet is not None else []
    if fleet is not None:
        _stop(fleet)
        state_file(home).unlink(missing_ok=True)
    raise _failure(log_file(home, failing[0].name if failing else "supervisor"))


def _failing(fleet: Fleet) -> list[Child]:
    return [server for server in fleet.servers if server.starts > FAILED_STARTS]


def _failure(log: Path) -> FleetError:
    words = last_line(log) if log.exists() else ""
    return FleetError(
        f"expected the fleet to start within {START_S:g} s, found: {words or 'no message'}; its "
        f"log is {log}."
    )


def _wait_for_workers(fleet: Fleet, home: Path, began: datetime) -> None:
    """Wait for a new heartbeat of every worker; earlier ones have the same names."""
    from deploy.declare import online  # noqa: PLC0415 - imports Prefect

    missing = {name for worker in fleet.workers for name in worker.names}

    def all_there() -> bool:
        missing.difference_update(online(began))
        return not missing

    if not _wait(all_there, START_S):
        raise _failure(log_file(home, min(missing)))


def _show(fleet: Fleet) -> None:
    click.echo(f"Prefect: {fleet.api_url.removesuffix('/api')}")
    if fleet.mlflow_url is not None:
        click.echo(f"MLflow:  {fleet.mlflow_url}")
    devices = [device for worker in fleet.workers for device in worker.slots.values()]
    kind = "on GPUs" if any(devices) else "CPU cores"
    drivers = sum(worker.pool == DRIVERS for worker in fleet.workers)
    click.echo(f"Slots: {len(devices)} ({kind}) for trainings, {drivers} worker for reproductions")


def _stop(fleet: Fleet) -> list[str]:
    """Stop a fleet; returns the names of processes the supervisor did not stop."""
    if fleet.supervisor.alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(fleet.supervisor.pid, signal.SIGTERM)
        if not _wait(lambda: not fleet.supervisor.alive, STOP_S):
            with contextlib.suppress(ProcessLookupError):
                os.kill(fleet.supervisor.pid, signal.SIGKILL)
    left = [c for c in fleet.children if c.process is not None and c.process.alive]
    for child in left:
        if child.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.process.pid, signal.SIGKILL)
    return [child.name for child in left]


def _wait(done: Callable[[], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not (ended := done()) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return ended
