"""The processes of a fleet: commands, environments, and health addresses."""

import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deploy.options import Options
from deploy.pools import DRIVER_LIMIT, DRIVERS, SLOTS
from tasks.execution.fleet_state import MLFLOW, PREFECT
from tasks.execution.parent_death import python_module
from tasks.execution.slots import Slot, SlotPool
from tasks.storage.database_url import sqlite_url
from tasks.storage.home import VARIABLE

_QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "DO_NOT_TRACK": "1",
    # A service's terminal is its log file, which should name errors.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
}


@dataclass(frozen=True)
class Service:
    """A process to keep running.

    Attributes:
        name: name of the process and its log.
        command: program and arguments.
        variables: variables to add to the supervisor's environment.
        health: URL that answers when it is healthy; empty for a worker.
        pool: Prefect work pool of a worker.
        slots: slots that a worker provides, with their names in the fleet.
    """

    name: str
    command: list[str]
    variables: Mapping[str, str] = field(default_factory=dict)
    health: str = ""
    pool: str = ""
    slots: tuple[Slot, ...] = ()


def servers(options: Options) -> list[Service]:
    """Prefect's server with its schedules and automations, and MLflow's."""
    return [] if options.join else [_prefect(options), _mlflow(options)]


def workers(options: Options) -> list[Service]:
    """One worker for the flows that submit work, and one for all slots of this host."""
    host, given = socket.gethostname(), slots(options)
    found = [_slots_worker(options, host, given)] if given else []
    return found if options.join else [_driver(options, host), *found]


def slots(options: Options) -> tuple[Slot, ...]:
    """The GPUs of this host, or its cores, up to the requested number."""
    if options.workers == 0:
        return ()
    return SlotPool.of_this_machine(options.workers, per_gpu=options.slots_per_gpu).slots


def _prefect(options: Options) -> Service:
    # Not `prefect server start`: this is the same server without an intermediate process.
    command = [*python_module("uvicorn"), "--factory", "prefect.server.api.server:create_app"]
    command += ["--host", options.host, "--port", str(options.prefect_port)]
    command += ["--log-level", "warning", "--lifespan", "on"]
    variables = {
        # Address of the API for browsers; another one behind a proxy.
        "PREFECT_UI_API_URL": os.environ.get("PREFECT_UI_API_URL", options.api_url),
        # Trainings may wait for a slot for any time, so none is late. Checking hundreds of them
        # for lateness keeps locking an SQLite database.
        "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
        "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "deploy.ordering",
        **_QUIET,
    }
    return Service(PREFECT, command, variables, f"{options.api_url}/health")


def _mlflow(options: Options) -> Service:
    # Not `mlflow server`: it starts this command as a child, which would outlive a killed parent.
    # MLflow 3.17 passes its options to it by variables with an underscore.
    command = [*python_module("uvicorn"), "mlflow.server.fastapi_app:app", "--log-level", "warning"]
    command += ["--host", "127.0.0.1", "--port", str(options.mlflow_port)]
    own = sqlite_url(options.home / "mlflow.db")
    variables = {
        "_MLFLOW_SERVER_FILE_STORE": os.environ.get("MLFLOW_BACKEND_STORE_URI", own),
        # Clients write files there directly, as without a server.
        "_MLFLOW_SERVER_ARTIFACT_ROOT": (options.home / "mlartifacts").as_uri(),
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ALLOWED_HOSTS": "localhost,localhost:*,127.0.0.1,127.0.0.1:*",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    health = f"{options.mlflow_url}/api/2.0/mlflow/experiments/search?max_results=1"
    return Service(MLFLOW, command, variables, health)


def _driver(options: Options, host: str) -> Service:
    name = f"{host}-driver"
    command = [*python_module("prefect"), "worker", "start", "--pool", DRIVERS, "--type", "process"]
    command += ["--limit", str(DRIVER_LIMIT), "--name", name, "--install-policy", "never"]
    return Service(name, command, _variables(options), pool=DRIVERS)


def _slots_worker(options: Options, host: str, given: Sequence[Slot]) -> Service:
    named = tuple(Slot(f"{host}-{slot.name}", slot.device) for slot in given)
    command = [*python_module("deploy.host_runner"), json.dumps([asdict(slot) for slot in named])]
    return Service(f"{host}-slots", command, _variables(options), pool=SLOTS, slots=named)


def _variables(options: Options) -> dict[str, str]:
    """Environment of a worker."""
    variables = {
        **_QUIET,
        VARIABLE: str(options.home),
        "PREFECT_API_URL": options.api_url,
        # Flow runs are started with the command `python`.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONSAFEPATH": "1",
        "PREFECT_WORKER_QUERY_SECONDS": os.environ.get("PREFECT_WORKER_QUERY_SECONDS", "2"),
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_LOGGING_LEVEL": "INFO",
    }
    if options.mlflow_url is not None:
        variables["MLFLOW_TRACKING_URI"] = options.mlflow_url
    return variables
