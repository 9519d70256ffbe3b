"""Provenance of a run: code, versions, hardware."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from tasks.execution.devices import usable_cores

PACKAGES = ("gradmix", "torch", "torchvision", "prefect", "mlflow", "nlopt", "numpy")


def git_commit() -> dict[str, Any]:
    """Commit of the checkout the code runs from, and whether it has changes.

    None if the code is not part of a checkout; a virtual environment may lie in a checkout of
    something else.
    """
    here = Path(__file__)
    folder = here.parent
    if not _git(folder, "ls-files", here.name):
        return {"git_sha": None, "git_dirty": False}
    sha = _git(folder, "rev-parse", "HEAD")
    dirty = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"git_sha": sha or None, "git_dirty": bool(dirty)}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that affect the numbers."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def hardware(slots: list[str]) -> dict[str, Any]:
    """Processor, usable cores, memory and slots."""
    return {
        "cpu": _cpu_name(),
        "cores": usable_cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "slots": slots,
        "system": platform.platform(terse=True),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _git(folder: Path, *arguments: str) -> str:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - wherever git is
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
