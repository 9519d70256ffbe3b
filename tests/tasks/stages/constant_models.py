"""Models for the tests of the evaluation."""

from pathlib import Path
from typing import Any

TARGET = {"2": 0, "3": 1}


def model(folder: Path) -> dict[str, Any]:
    return {"folder": str(folder), "method": "gradmix", "sources": ["S1", "S2"]}
