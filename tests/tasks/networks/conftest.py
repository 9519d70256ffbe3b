"""A module with factories, as a user would have it."""

import sys
from pathlib import Path

import pytest


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a module with factories, as a user would have it on PYTHONPATH."""
    name = f"backbones_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(
        "from torch import nn\n"
        "def small(width):\n"
        "    return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU())\n"
        "def flat():\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 5))\n"
        "def torn():\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(5, 4, 3))\n"
        "def number():\n"
        "    return 3\n"
        "def failing():\n"
        "    return 1 / 0\n"
        "constant = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)
