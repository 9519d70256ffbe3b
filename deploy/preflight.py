"""Checks before a fleet is started, with one-line errors."""

import os
from pathlib import Path

from deploy.health import answers, is_free
from deploy.options import Options
from tasks.execution.fleet_state import FOLDER, FleetError, read_state, state_file
from tasks.storage.locks import try_lock, unlock


def refuse(options: Options) -> None:
    """Check everything the fleet needs.

    Raises:
        FleetError: if something is taken or missing.
    """
    if options.join is not None:
        _expect_fleet(options)
        return
    _refuse_other_hosts(options.home)
    _refuse_port("--prefect-port", options.host, options.prefect_port)
    _refuse_port("--mlflow-port", "127.0.0.1", options.mlflow_port)
    _refuse_own_server(options.home)


def _expect_fleet(options: Options) -> None:
    if not answers(f"{options.api_url}/health"):
        raise FleetError(
            f"--join {options.join}: expected Prefect's server of a running fleet, found no "
            "answer; check the address, and the --host that the fleet was started with."
        )


def _refuse_other_hosts(home: Path) -> None:
    for path in sorted((home / FOLDER).glob("*.json")):
        other = read_state(path)
        if other is not None and other.servers and path != state_file(home):
            raise FleetError(
                f"expected no other host's fleet over {home}, found {other.host}'s; give it this "
                f"host's slots with --join, or, if it is gone, remove {path}."
            )


def _refuse_port(option: str, host: str, port: int) -> None:
    try:
        free = is_free(host, port)
    except OSError as error:
        raise FleetError(
            f"--host {host}: expected an address of this machine, found: {error.strerror}; "
            "correct it."
        ) from error
    if not free:
        raise FleetError(
            f"expected port {port} of {host} to be free, found it taken; choose another with "
            f"{option}."
        )


def _refuse_own_server(home: Path) -> None:
    path = Path(os.environ.get("PREFECT_HOME") or home / "prefect") / ".lock"
    held = try_lock(path)
    if held is None:
        raise FleetError(
            f"expected the database in {path.parent} to be free, found a gradmix command "
            "whose server uses it; wait until it has finished."
        )
    unlock(path, held)
