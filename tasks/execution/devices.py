"""What this process may use of its machine: CUDA devices and CPU cores."""

import os
import re
import subprocess
import sys
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
_LISTED = re.compile(r"\s*(?P<kind>GPU|MIG) .*\(UUID: (?P<uuid>[^)]+)\)\s*$")


def cuda_devices() -> list[str]:
    """CUDA devices that this process may use, as values of CUDA_VISIBLE_DEVICES.

    Found without CUDA, which would take memory on each device: by `nvidia-smi`, and by
    CUDA_VISIBLE_DEVICES where that is set. A device split by MIG counts as its parts.
    """
    try:
        listing = subprocess.run(
            ["nvidia-smi", "-L"],  # noqa: S607 - wherever the driver has put it
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    present = _listed_devices(listing)
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None or not present:
        return present
    devices: list[str] = []
    for entry in chosen.split(","):
        # CUDA ignores what follows the first entry that is no device.
        if entry.strip() in {"", "-1"}:
            break
        devices.append(entry.strip())
    return devices


def _listed_devices(listing: str) -> list[str]:
    """UUIDs in the output of `nvidia-smi -L`: its order of indices need not be CUDA's."""
    devices: list[list[str]] = []
    for line in listing.splitlines():
        found = _LISTED.match(line)
        if found and found["kind"] == "GPU":
            devices.append([found["uuid"]])
        elif found and devices:
            devices[-1].append(found["uuid"])
    # A device that lists parts can be used through them only.
    return [uuid for first, *parts in devices for uuid in (parts or [first])]


def usable_cores() -> int:
    """CPU cores that this process may use: its affinity, and its control group's quota."""
    if sys.platform == "linux":
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, int(_cgroup_quota())))


def _cgroup_quota() -> float:
    """Cores granted by cgroup v2 to this process; infinite where nothing limits it."""
    try:
        own = Path("/proc/self/cgroup").read_text(encoding="ascii").strip()
    except OSError:
        return float(sys.maxsize)
    folder = CGROUP / own.rpartition("::")[2].lstrip("/")
    quota = float(sys.maxsize)
    for place in [folder, *folder.parents]:
        try:
            granted, period = (place / "cpu.max").read_text(encoding="ascii").split()
        except (OSError, ValueError):
            continue
        if granted != "max":
            quota = min(quota, int(granted) / int(period))
    return quota
