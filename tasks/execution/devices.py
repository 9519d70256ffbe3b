"""CUDA devices and CPU cores that this process may use."""

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

from tasks.errors import StageError
from tasks.execution.parent_death import python_module

NODES = (Path("/dev/nvidiactl"), Path("/dev/nvidia0"), Path("/dev/kfd"), Path("/dev/dxg"))
"""Present if there is a driver, with or without nvidia-smi."""
CGROUP = Path("/sys/fs/cgroup")
_LISTED = re.compile(r"\s*(?P<kind>GPU|MIG) .*\(UUID: (?P<uuid>[^)]+)\)\s*$")


def usable_devices() -> list[str]:
    """CUDA devices for training: those that are listed and usable by torch.

    Raises:
        StageError: if torch cannot use a listed device; trainings would run on the CPU.
    """
    listed, chosen = cuda_devices(), _chosen_devices()
    if not listed and (chosen == [] or not any(node.exists() for node in NODES)):
        return []
    count, reason = torch_devices()
    if not listed:
        # No nvidia-smi, as in many containers.
        return (chosen or [str(index) for index in range(count)])[:count]
    # A process sees only one MIG part unless it names others.
    wanted = 1 if any(device.startswith("MIG") for device in listed) else len(listed)
    if count < wanted:
        raise StageError(
            f"expected torch to use {len(listed)} CUDA device(s) ({', '.join(listed)}), found that "
            f"it can use {count}: {reason or 'CUDA knows no more'}; correct CUDA_VISIBLE_DEVICES, "
            "the driver or torch, or set CUDA_VISIBLE_DEVICES= (empty) to train on CPU cores."
        )
    return listed


@functools.cache
def torch_devices() -> tuple[int, str]:
    """Number of CUDA devices torch can use, and the reason if it is none; cached.

    A separate process finds out, as CUDA would hold memory on a device as long as this one lives.
    """
    try:
        found = subprocess.run(
            python_module("tasks.execution.torch_devices"),
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        ).stdout
    except subprocess.SubprocessError as error:
        return 0, f"torch cannot be asked ({error})"
    count, _, reason = found.strip().partition(" ")
    return int(count), reason


def cuda_devices() -> list[str]:
    """CUDA devices of this process, as values of CUDA_VISIBLE_DEVICES.

    Found by `nvidia-smi`, as CUDA takes seconds, and by CUDA_VISIBLE_DEVICES if that is set. A
    device split by MIG counts as its parts.
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
    present, chosen = _listed_devices(listing), _chosen_devices()
    return present if chosen is None or not present else chosen


def _chosen_devices() -> list[str] | None:
    """Devices in CUDA_VISIBLE_DEVICES; None if it is not set."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return None
    devices: list[str] = []
    for entry in chosen.split(","):
        # CUDA ignores everything after the first invalid entry; Slurm writes NoDevFiles.
        if entry.strip() in {"", "-1", "NoDevFiles"}:
            break
        devices.append(entry.strip())
    return devices


def _listed_devices(listing: str) -> list[str]:
    """UUIDs in the output of `nvidia-smi -L`, whose indices may be ordered unlike CUDA's."""
    devices: list[list[str]] = []
    for line in listing.splitlines():
        found = _LISTED.match(line)
        if found and found["kind"] == "GPU":
            devices.append([found["uuid"]])
        elif found and devices:
            devices[-1].append(found["uuid"])
    # A device with parts can only be used through them.
    return [uuid for first, *parts in devices for uuid in (parts or [first])]


def usable_cores() -> int:
    """Number of CPU cores allowed by this process's affinity and cgroup quota."""
    if sys.platform == "linux":
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, int(_cgroup_quota())))


def _cgroup_quota() -> float:
    """Cores granted to this process by cgroup v2; infinite if unlimited."""
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
