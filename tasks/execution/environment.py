"""Environment variables of this process and of training processes.

Prefect and MLflow read theirs when they are imported, glibc and OpenMP when a process starts. So
`configure` runs before the first import of either, and a slot process gets its own mapping.
"""

import logging
import os
import pwd
import re
import socket
from pathlib import Path

from tasks.errors import VariableError
from tasks.execution.fleet_state import read_fleet
from tasks.storage.database_url import sqlite_url

# Twice as fast as glibc's defaults (15 % of a step on a small network, 30 % on a large one), which
# return freed activations to the kernel, so that every step faults their pages in again. What
# avoids the page faults is a heap that is never trimmed; the padding need not be large.
_ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_TOP_PAD_": str(16 << 20),
}
_ALLOCATORS_OF_TORCH = (
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_HIP_ALLOC_CONF",
)
_ALLOCATOR_SETTINGS = re.compile(r"\s*\w+\s*:[^,]+(,\s*\w+\s*:[^,]+)*")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_LIBRARIES = ("PREFECT_", "MLFLOW_")
# Variables that a user may have set with gradmix in mind. All others are for the user's own flows:
# default retries, result stores, a refreshed cache or a profile would change what ours do.
_TAKEN = (
    "PREFECT__",
    "PREFECT_API_",
    "PREFECT_CLIENT_",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY",
    "PREFECT_HOME",
    "PREFECT_INTERNAL_LOGGING_LEVEL",
    "PREFECT_LOCAL_STORAGE_PATH",
    "PREFECT_LOGGING_HANDLERS_",
    "PREFECT_LOGGING_LEVEL",
    "PREFECT_LOGGING_ROOT_LEVEL",
    "PREFECT_SERVER_",
    "PREFECT_UI_",
    "PREFECT_WORKER_",
)
# MLflow's, if the home's own database or a fleet stores the runs. A user who names another store
# has set the rest of them for it.
_TAKEN_BY_OWN_STORE = (
    "MLFLOW_ARTIFACTS_DESTINATION",
    "MLFLOW_BACKEND_STORE_URI",
    "MLFLOW_LOGGING_LEVEL",
    "MLFLOW_SERVER_ALLOWED_HOSTS",
)

left_out: dict[str, str] = {}
"""The user's variables that `configure` removed from the environment."""


def configure(home: Path) -> None:
    """Point Prefect and MLflow at the home folder, quiet and offline; call before importing either.

    Variables of docs/fleet.md set by the user are kept; an empty value counts as unset. If a fleet
    runs over the home folder on this host, its servers are used.

    Args:
        home: an existing home folder.

    Raises:
        VariableError: if PREFECT_HOME is not a path, or MLFLOW_LOGGING_LEVEL not a level.
    """
    home = home.absolute()
    prefect = home / "prefect"
    reach_loopback_directly(os.environ)
    # A hidden name: a home folder that is yet to be initialised must look empty.
    _stand_in_for_user(home / ".user")
    _leave_out_foreign()
    defaults = {
        "PREFECT_HOME": str(prefect),
        "PREFECT_LOCAL_STORAGE_PATH": str(prefect / "results"),
        # Prefect's own temporary server outlives a killed parent; ours is in `prefect_server`.
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
        # A fleet presumes a run dead after 180 s without a heartbeat, Prefect's default interval.
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # Warnings and tracebacks go to the run in the server; the terminal belongs to the command.
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        # This logger has a handler of its own: a long line per event while the server is away.
        "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",
        "MLFLOW_TRACKING_URI": sqlite_url(home / "mlflow.db"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        # MLflow's git client complains on import if there is no git.
        "GIT_PYTHON_REFRESH": "quiet",
    }
    fleet = read_fleet(home)
    defaults |= fleet.variables if fleet is not None else {}
    for name, value in defaults.items():
        if not os.environ.get(name):
            os.environ[name] = value
    os.environ["PREFECT_HOME"] = str(_expanded("PREFECT_HOME"))
    _check_level("MLFLOW_LOGGING_LEVEL")
    # A file that does not exist: the user's profiles are for the user's own commands.
    os.environ["PREFECT_PROFILES_PATH"] = str(prefect / "no-profiles.toml")


def steady_libraries() -> None:
    """Keep the user's torch and matplotlib settings from breaking imports.

    Raises:
        VariableError: if a variable has a value that torch cannot start with.
    """
    # Figures need no window, and matplotlib cannot be imported with an invalid backend.
    os.environ["MPLBACKEND"] = "agg"
    for name in _ALLOCATORS_OF_TORCH:
        value = os.environ.get(name, "")
        if value and not _ALLOCATOR_SETTINGS.fullmatch(value):
            raise VariableError(
                f"{name}: expected settings such as expandable_segments:True, found {value!r}; "
                "correct it, or unset it."
            )


def reach_loopback_directly(variables: dict[str, str] | os._Environ[str]) -> None:
    """Exempt this machine from proxies, in addition to the user's exemptions.

    Args:
        variables: changed in place, in both spellings, since libraries differ in which they read.
    """
    given = variables.get("no_proxy") or variables.get("NO_PROXY") or ""
    entries = [entry.strip() for entry in given.split(",") if entry.strip()]
    here = [*LOOPBACK, socket.gethostname()]
    direct = ",".join([*entries, *(name for name in here if name not in entries)])
    variables["NO_PROXY"] = variables["no_proxy"] = "*" if "*" in entries else direct


def training_environment(device: str) -> dict[str, str]:
    """Variables of a slot process, in addition to this process's own.

    Args:
        device: CUDA device of the slot (index or UUID); empty for a CPU core.

    Returns:
        One visible device, or none and a single thread; and the allocator's settings.
    """
    variables = {"CUDA_VISIBLE_DEVICES": device, "PYTHONSAFEPATH": "1", **_ALLOCATOR}
    # Without pyarrow's background thread, a process that has loaded it can be forked safely.
    variables |= {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
    if not device:
        variables |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return variables


def _stand_in_for_user(folder: Path) -> None:
    """Name a home folder and a user if the system knows none, as in containers.

    Prefect needs the one on import, MLflow and torch the other.
    """
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(folder)
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("USER", f"uid-{os.getuid()}")


def _leave_out_foreign() -> None:
    own_store = not os.environ.get("MLFLOW_TRACKING_URI")
    taken = (*_TAKEN, *(_TAKEN_BY_OWN_STORE if own_store else ("MLFLOW_",)))
    for name, value in list(os.environ.items()):
        if not name.startswith(_LIBRARIES):
            continue
        if not value:
            del os.environ[name]
        elif not name.startswith(taken):
            left_out[name] = os.environ.pop(name)


def _check_level(name: str) -> None:
    """Check a logging level: MLflow cannot be imported with an invalid one."""
    if os.environ[name].upper() not in logging.getLevelNamesMapping():
        raise VariableError(
            f"{name}: expected a level such as WARNING, found {os.environ[name]!r}; correct it, or "
            "unset it."
        )


def _expanded(name: str) -> Path:
    try:
        return Path(os.environ[name]).expanduser().absolute()
    except RuntimeError as error:
        raise VariableError(
            f"{name}: expected the path of a folder, found {os.environ[name]!r}, whose user is "
            "unknown here; correct it."
        ) from error
