"""Arrays of random pixels."""

import numpy as np

HEIGHT, WIDTH = 6, 9


def values(seed, channels, most=255, dtype=np.uint8):
    shape = (HEIGHT, WIDTH, channels) if channels > 1 else (HEIGHT, WIDTH)
    return np.random.default_rng(seed).integers(0, most, shape, endpoint=True).astype(dtype)
