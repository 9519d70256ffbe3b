"""Environment variables of this process and of the processes that train.

Prefect and MLflow read theirs when they are imported, glibc and OpenMP when a process starts: so
`configure` runs before the first import of either, and a slot process gets a mapping of its own.
"""

import os
from pathlib import Path

from tasks.execution.fleet_state import read_fleet

# Twice as fast as glibc's defaults (15 % of a step on a small network, 30 % on a large one): by
# default freed activations go back to the kernel, and every step faults their pages in again.
# The padding need not be large; a heap that is never cut is what saves the page faults.
_ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_TOP_PAD_": str(16 << 20),
}


def configure(home: Path) -> None:
    """Point Prefect and MLflow at the home folder, quiet and offline; call before importing either.

    What the user has set stays as it is. Where a fleet runs over the home folder on this host, its
    servers are used.

    Args:
        home: the home folder, which exists.
    """
    home = home.absolute()
    prefect = home / "prefect"
    defaults = {
        "PREFECT_HOME": str(prefect),
        "PREFECT_LOCAL_STORAGE_PATH": str(prefect / "results"),
        # Prefect's own temporary server outlives a killed parent; ours is in `prefect_server`.
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
        # A fleet takes a run without a heartbeat for 180 s for dead; Prefect's default is as long.
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # Warnings and tracebacks go to the run in the server; the terminal is the command's own.
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        # MLflow's git client complains on import where there is no git.
        "GIT_PYTHON_REFRESH": "quiet",
        # A proxy must not see what goes to the server on this machine.
        "NO_PROXY": "127.0.0.1,localhost",
    }
    fleet = read_fleet(home)
    defaults |= fleet.variables if fleet is not None else {}
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def training_environment(device: str) -> dict[str, str]:
    """Variables that a slot process starts with, on top of this process's own.

    Args:
        device: CUDA device of the slot (index or UUID); empty for a CPU core.

    Returns:
        One visible device, or none and a single thread; and the allocator's settings.
    """
    variables = {"CUDA_VISIBLE_DEVICES": device, "PYTHONSAFEPATH": "1", **_ALLOCATOR}
    if not device:
        variables |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return variables
