"""What runs of a fleet over a home folder: servers and workers of this host, from its state file.

Every host that takes part has a supervisor of its own, which writes HOME/fleet/<host>.json.
"""

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data.atomic import write_atomically
from tasks.execution.processes import Process
from tasks.storage.home import HomeError

FOLDER = "fleet"


class FleetError(HomeError):
    """A fleet cannot be started, read or reached: what was expected, found, and is to be done."""


@dataclass(frozen=True)
class Child:
    """A server or worker that a supervisor keeps running.

    Attributes:
        name: `prefect`, `mlflow`, or the name under which Prefect knows the worker.
        process: its leader; it has a process group of its own. None between two starts.
        starts: how often it was started.
        pool: Prefect work pool; empty for a server.
        device: value of CUDA_VISIBLE_DEVICES of a worker's slot; empty for a CPU core.
    """

    name: str
    process: Process | None
    starts: int = 1
    pool: str = ""
    device: str = ""


@dataclass(frozen=True)
class Fleet:
    """What a supervisor keeps running on its host.

    Attributes:
        api_url: Prefect's API.
        mlflow_url: MLflow; None on a host that joined another's fleet.
        host: name of the host.
        supervisor: the process that keeps the rest running.
        ready: whether the servers answer, and the workers were started.
        servers: Prefect's and MLflow's; none on a host that joined.
        workers: the driver's, and one per slot.
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
    def variables(self) -> dict[str, str]:
        """Environment of a process that uses the fleet."""
        variables = {"PREFECT_API_URL": self.api_url}
        if self.mlflow_url is not None:
            variables["MLFLOW_TRACKING_URI"] = self.mlflow_url
        return variables

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
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
    """Where a host's supervisor writes what runs; by default this host's."""
    return home / FOLDER / f"{host or socket.gethostname()}.json"


def read_fleet(home: Path) -> Fleet | None:
    """The fleet that runs on this host for that home folder; None if its supervisor does not.

    Raises:
        FleetError: if the state file was written by another version.
    """
    fleet = read_state(state_file(home))
    return fleet if fleet is not None and fleet.supervisor.alive else None


def read_state(path: Path) -> Fleet | None:
    """What a state file says, whether or not it still holds; None if there is none.

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
    """Write the state file of a host; it is there whole or not at all."""
    write_atomically(state_file(home, fleet.host), json.dumps(fleet.to_json(), indent=1) + "\n")


def _child(content: dict[str, Any]) -> Child:
    process = content["process"]
    return Child(**{**content, "process": None if process is None else Process(**process)})
