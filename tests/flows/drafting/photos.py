"""Photos for tests: small, different, and quick to write."""

import numpy as np
from PIL import Image


def photo(path, size=(32, 32), seed=0):
    """Write a photo of random patches, which is like no other; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rough = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC).save(path)
    return path
