"""Devices and cores that this process may use."""

import os
import subprocess
from pathlib import Path

import pytest

from tasks.execution import devices
from tasks.execution.devices import cuda_devices, usable_cores

TWO_GPUS = """GPU 0: NVIDIA H200 (UUID: GPU-aa)
GPU 1: NVIDIA H200 (UUID: GPU-bb)
"""
SPLIT_GPU = """GPU 0: NVIDIA H200 (UUID: GPU-aa)
  MIG 1g.18gb     Device  0: (UUID: MIG-11)
  MIG 1g.18gb     Device  1: (UUID: MIG-22)
GPU 1: NVIDIA H200 (UUID: GPU-bb)
"""


@pytest.mark.parametrize(
    ("listing", "visible", "expected"),
    [
        (TWO_GPUS, None, ["GPU-aa", "GPU-bb"]),
        (SPLIT_GPU, None, ["MIG-11", "MIG-22", "GPU-bb"]),
        (TWO_GPUS, "1", ["1"]),
        (TWO_GPUS, "1, 0", ["1", "0"]),
        (TWO_GPUS, "0,-1,1", ["0"]),
        (TWO_GPUS, "", []),
        ("No devices found.\n", None, []),
        ("No devices found.\n", "0", []),
    ],
)
def test_cuda_devices_are_those_that_are_there_and_allowed(
    monkeypatch: pytest.MonkeyPatch, listing: str, visible: str | None, expected: list[str]
) -> None:
    answer = subprocess.CompletedProcess([], 0, stdout=listing)
    monkeypatch.setattr(devices.subprocess, "run", lambda *_, **__: answer)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert cuda_devices() == expected


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1), ("1600000 100000", 8)],
)
def test_cores_are_limited_by_the_control_group(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, expected: int
) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    monkeypatch.setattr(devices, "CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(devices.sys, "platform", "linux")

    assert usable_cores() == expected
