"""State of a fleet over a home folder: the servers and workers of a host.

Each host has its own supervisor, which writes HOME/fleet/<host>.json.
"""

import json
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data.atomic import write_atomically
from tasks.execution.processes import Process
from tasks.storage.home import HomeError

FOLDER = "fleet"
PREFECT, MLFLOW = "prefect", "mlflow"
"""Names of the servers."""
FAILED_STARTS = 3
"""Starts after which a server that still does not answer is given up."""


class FleetError(HomeError):
    """A fleet cannot be started, read or reached: one line with the cause and what to do."""


@dataclass(frozen=True)
class Child:
    """A server or worker that a supervisor keeps running.

    Attributes:
        name: `PREFECT`, `MLFLOW`, or the worker's name.
        process: leader of its own process group; None between two starts.
        starts: number of starts so far.
        pool: Prefect work pool; empty for a server.
        slots: CUDA_VISIBLE_DEVICES of each slot of a worker by the slot's name in Prefect; empty
            for a CPU core.
    """

    name: str
    process: Process | None
    starts: int = 1
    pool: str = ""
    slots: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which Prefect knows a worker."""
        return tuple(self.slots) or (self.name,)


@dataclass(frozen=True)
class Fleet:
    """The processes that a supervisor keeps running on its host.

    Attributes:
        api_url: URL of Prefect's API.
        mlflow_url: URL of MLflow; None on a host that joined another's fleet.
        host: name of the host.
        supervisor: process that keeps the others running.
        ready: whether the servers answer and the workers have been started.
        servers: Prefect's and MLflow's; none on a host that joined.
        workers: the driver's worker, and one for all slots.
    """

    api_url: str
    mlflow_url: str | None
    host: str
    supervisor: Process
    ready: bool
    servers: tuple[Child, ...]
    workers: tuple[Child, ...]

    @property
    def children(self) -> tuple[Child, ...]:
        """Servers and workers."""
        return (*self.servers, *self.workers)

    @property
    def prefect(self) -> Child | None:
        """Prefect's server; None on a host that joined."""
        return next((server for server in self.servers if server.name == PREFECT), None)

    @property
    def variables(self) -> dict[str, str]:
        """Environment of a process that uses the fleet."""
        variables = {"PREFECT_API_URL": self.api_url}
        if self.mlflow_url is not None:
            variables["MLFLOW_TRACKING_URI"] = self.mlflow_url
        return variables

    def to_json(self) -> dict[str, Any]:
        """Convert to plain JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Fleet":
        """The inverse of `to_json`."""
        own = {
            "supervisor": Process(**content["supervisor"]),
            "servers": tuple(map(_child, content["servers"])),
            "workers": tuple(map(_child, content["workers"])),
        }
        return cls(**{**content, **own})


def state_file(home: Path, host: str | None = None) -> Path:
    """State file of a host, by default this one."""
    return home / FOLDER / f"{host or socket.gethostname()}.json"


def log_file(home: Path, name: str) -> Path:
    """Log of a server, a worker or, as `supervisor`, the supervisor of this host."""
    return home / FOLDER / "logs" / f"{name}.log"


def read_fleet(home: Path) -> Fleet | None:
    """The fleet of a home folder on this host; None unless its supervisor is running.

    Raises:
        FleetError: if the state file was written by another version.
    """
    fleet = read_state(state_file(home))
    return fleet if fleet is not None and fleet.supervisor.alive else None


def read_state(path: Path) -> Fleet | None:
    """Read a state file, which may be out of date; None if there is none.

    Raises:
        FleetError: if it was written by another version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        content = {}
    try:
        return Fleet.from_json(content)
    except (KeyError, TypeError) as error:
        raise FleetError(
            f"expected the state of a fleet in {path}, found something else; stop it with the "
            "version that started it, or remove the file."
        ) from error


def write_fleet(home: Path, fleet: Fleet) -> None:
    """Write the state file of a host atomically."""
    write_atomically(state_file(home, fleet.host), json.dumps(fleet.to_json(), indent=1) + "\n")


def _child(content: dict[str, Any]) -> Child:
    process = content["process"]
    return Child(**{**content, "process": None if process is None else Process(**process)})
