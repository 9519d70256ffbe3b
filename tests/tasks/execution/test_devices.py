"""Devices and cores that this process may use."""

import os
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tasks.errors import StageError
from tasks.execution import devices, torch_devices
from tasks.execution.devices import cuda_devices, usable_cores, usable_devices

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
        (TWO_GPUS, "NoDevFiles", []),
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


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[str]]:
    """What is usable, of what nvidia-smi, torch and the user say."""

    def usable(
        listed: list[str], torch: tuple[int, str] | None, *, visible: str | None, driver: bool
    ) -> list[str]:
        def answer() -> tuple[int, str]:
            assert torch is not None, "torch was asked, which takes seconds"
            return torch

        monkeypatch.setattr(devices, "cuda_devices", lambda: listed)
        monkeypatch.setattr(devices, "torch_devices", answer)
        monkeypatch.setattr(devices, "NODES", (tmp_path if driver else tmp_path / "none",))
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        return usable_devices()

    return usable


def test_devices_that_torch_can_use_are_used(asked: Callable[..., list[str]]) -> None:
    assert asked(["a", "b"], (2, ""), visible=None, driver=True) == ["a", "b"]
    assert asked(["MIG-1", "MIG-2"], (1, ""), visible=None, driver=True) == ["MIG-1", "MIG-2"]


def test_without_a_driver_or_a_wish_torch_is_not_asked(asked: Callable[..., list[str]]) -> None:
    assert asked([], None, visible=None, driver=False) == []
    assert asked([], None, visible="", driver=True) == []


def test_devices_that_nvidia_smi_does_not_list_are_used(asked: Callable[..., list[str]]) -> None:
    assert asked([], (2, ""), visible=None, driver=True) == ["0", "1"]
    assert asked([], (1, ""), visible="3", driver=True) == ["3"]
    assert asked([], (0, "no driver"), visible=None, driver=True) == []


@pytest.mark.parametrize(("count", "reason"), [(0, "torch 2 is built without CUDA"), (1, "")])
def test_devices_that_torch_cannot_use_are_refused(
    asked: Callable[..., list[str]], count: int, reason: str
) -> None:
    with pytest.raises(StageError) as caught:
        asked(["0", "7"], (count, reason), visible="0,7", driver=True)

    assert str(caught.value) == (
        "expected torch to use 2 CUDA device(s) (0, 7), found that it can use "
        f"{count}: {reason or 'CUDA knows no more'}; correct CUDA_VISIBLE_DEVICES, the driver or "
        "torch, or set CUDA_VISIBLE_DEVICES= (empty) to train on CPU cores."
    )


@pytest.mark.parametrize(
    ("count", "built", "said", "line"),
    [
        (2, "13.0", [], "2 "),
        (0, None, [], f"0 torch {torch.__version__} is built without CUDA"),
        (0, "13.0", [], "0 it finds no device"),
        (0, "13.0", ["CUDA: the driver\nis too old"], "0 CUDA: the driver is too old"),
    ],
)
def test_torch_says_why_there_is_none(
    monkeypatch: pytest.MonkeyPatch, count: int, built: str | None, said: list[str], line: str
) -> None:
    def available() -> bool:
        for words in said:
            warnings.warn(words, stacklevel=1)
        return count > 0

    monkeypatch.setattr(torch.cuda, "is_available", available)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.version, "cuda", built)
    monkeypatch.setattr(torch.version, "hip", None)

    assert torch_devices.answer() == line


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
