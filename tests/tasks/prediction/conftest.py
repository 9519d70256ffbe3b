"""Tiny models, and the toy world's images as files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tasks.models.conftest import members, model_inputs, single

__all__ = ["members", "model_inputs", "single"]


@pytest.fixture
def photos(toy, tmp_path: Path) -> Path:
    """The toy test images as PNGs in two folders, a text file and two that are no pictures."""
    folder = tmp_path / "photos"
    for place in ("a", "b/c"):
        (folder / place).mkdir(parents=True)
    for number, image in enumerate(toy.test.images):
        place = folder / ("a" if number % 2 else "b/c")
        Image.fromarray(image[..., 0]).save(place / f"{number:03d}.png")
    (folder / "notes.txt").write_text("no picture")
    (folder / "a" / "broken.png").write_bytes(b"no picture")
    whole = (folder / "a" / "001.png").read_bytes()
    (folder / "b" / "half.png").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.fixture
def as_array(photos: Path):
    """Reads a PNG of `photos` as the model does: uint8 [1, 32, 32, 1]."""

    def read(path: str):
        return np.array(Image.open(path).convert("L"))[np.newaxis, ..., np.newaxis]

    return read
