"""Options of a fleet."""

import ipaddress
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from tasks.execution.fleet_state import FleetError

_AUTH = "PREFECT_SERVER_API_AUTH_STRING"
_CLIENT_AUTH = "PREFECT_API_AUTH_STRING"


@dataclass(frozen=True)
class Options:
    """The options of `gradmix up`.

    Attributes:
        home: home folder, absolute.
        workers: maximum number of slots; None for all.
        host: address on which Prefect's server listens.
        prefect_port: its port.
        mlflow_port: port of MLflow's server, on loopback.
        join: API of another host's fleet; this host only gives slots. None to start a fleet.
        slots_per_gpu: concurrent trainings per GPU; no effect on CPU cores.
    """

    home: Path
    workers: int | None = None
    host: str = "127.0.0.1"
    prefect_port: int = 4200
    mlflow_port: int = 5000
    join: str | None = None
    slots_per_gpu: int = 1

    @property
    def api_url(self) -> str:
        """Prefect's API, as its clients reach it."""
        if self.join is not None:
            base = self.join.rstrip("/")
            return base if base.endswith("/api") else f"{base}/api"
        everywhere = self.host in {"0.0.0.0", "::"}  # noqa: S104 - what the user asked for
        host = socket.gethostname() if everywhere else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.prefect_port}/api"

    @property
    def mlflow_url(self) -> str | None:
        """MLflow's address; None without a server on this host."""
        return None if self.join is not None else f"http://127.0.0.1:{self.mlflow_port}"

    def to_text(self) -> str:
        """The options as one command-line argument, without secrets."""
        return json.dumps({**vars(self), "home": str(self.home)})

    @classmethod
    def from_text(cls, text: str) -> "Options":
        """The inverse of `to_text`."""
        words: dict[str, Any] = json.loads(text)
        return cls(**{**words, "home": Path(words["home"])})

    def check(self) -> None:
        """Reject a server open to the network without a password, and a joining host without slots.

        Raises:
            FleetError: if the host is not loopback and no password is set, if a joining host has
                no slots, or the address to join is invalid.
        """
        if self.join is not None:
            self._check_join(self.join)
        if self.join is None and not _is_loopback(self.host) and not os.environ.get(_AUTH):
            raise FleetError(
                f"--host {self.host}: expected a password for Prefect's server in {_AUTH} "
                "(user:password), since others can reach that address, found none; set it, or "
                "leave --host out."
            )

    def _check_join(self, address: str) -> None:
        if self.workers == 0:
            raise FleetError(
                "--join: expected slots to give, found --workers 0; leave --workers out."
            )
        try:
            parts = urlsplit(address)
            usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise FleetError(
                f"--join: expected an address such as http://head:4200, found {address!r}; "
                "correct it."
            )


def take_password(address: str) -> str:
    """Move user and password from an address to the environment of this process.

    Args:
        address: address of `--join`; everyone on this host can read it on the command line.

    Returns:
        The address without secrets, which may be shown, written and passed on.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    login, at, host = parts.netloc.rpartition("@")
    if at:
        os.environ[_CLIENT_AUTH] = unquote(login)
    return urlunsplit(parts._replace(netloc=host))


def share_password() -> None:
    """Make this process and its children use the server's password, unless they have one."""
    if _AUTH in os.environ:
        os.environ.setdefault(_CLIENT_AUTH, os.environ[_AUTH])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
