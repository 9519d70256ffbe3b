"""What runs of a fleet over a home folder: servers and workers of this host, from its state file.

Every host that takes part has a supervisor of its own, which writes HOME/fleet/<host>.json.
"""

import json
import os
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from tasks.storage.home import HomeError, write_atomically

FOLDER = "fleet"
_START_FIELD = 19
"""Of the numbers in /proc/PID/stat after the name; clock ticks from the boot to the start."""


class FleetError(HomeError):
    """A fleet cannot be started, read or reached: what was expected, found, and is to be done."""


@dataclass(frozen=True)
class Process:
    """A process that is not mistaken for a later one of the same id.

    Attributes:
        pid: its id.
        started: what `started` gave for it.
    """

    pid: int
    started: float

    @classmethod
    def find(cls, pid: int) -> "Process":
        """The process of that id; one that has ended is never alive."""
        return cls(pid, started(pid) or 0.0)

    @property
    def alive(self) -> bool:
        """Whether it runs, on this host."""
        return started(self.pid) == self.started


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


def started(pid: int) -> float | None:
    """When a process was started, for comparison only; None if it has ended.

    On Linux counted from the boot: a clock that is set changes what `psutil` gives.
    """
    if sys.platform != "linux":
        try:
            return psutil.Process(pid).create_time()
        except psutil.Error:
            return None
    else:
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        # The name in parentheses may hold anything.
        fields = text.rpartition(")")[2].split()
        ended = fields[0] in {"Z", "X"}
        return None if ended else int(fields[_START_FIELD]) / os.sysconf("SC_CLK_TCK")


def _child(content: dict[str, Any]) -> Child:
    process = content["process"]
    return Child(**{**content, "process": None if process is None else Process(**process)})
