"""Small files in the official formats, written by the tests."""

import gzip
import struct

import numpy as np
import pytest
import scipy.io


def _idx_bytes(array):
    header = struct.pack(f">{array.ndim + 1}I", 0x0800 | array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture(scope="session")
def idx_bytes():
    """Encode an array as an idx file."""
    return _idx_bytes


@pytest.fixture
def write_mnist(tmp_path):
    """Write MNIST files of one split under a fresh root; return (root, image file, label file)."""

    def write(images, labels, split="train", compressed=True):
        folder = tmp_path / "MNIST" / "raw"
        folder.mkdir(parents=True, exist_ok=True)
        prefix = {"train": "train", "test": "t10k"}[split]
        paths = []
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            body = _idx_bytes(np.asarray(array))
            name = f"{prefix}-{kind}-ubyte"
            path = folder / (f"{name}.gz" if compressed else name)
            path.write_bytes(gzip.compress(body) if compressed else body)
            paths.append(path)
        return tmp_path, *paths

    return write


@pytest.fixture
def write_svhn(tmp_path):
    """Write an SVHN .mat of one split under a fresh root; return (root, file)."""

    def write(content, split="train", folder="SVHN", compressed=True):
        (tmp_path / folder).mkdir(exist_ok=True)
        path = tmp_path / folder / f"{split}_32x32.mat"
        scipy.io.savemat(path, content, do_compression=compressed)
        return tmp_path, path

    return write


@pytest.fixture
def svhn_content():
    """Twelve random colour images with labels 1..10, 1, 2."""
    rng = np.random.default_rng(0)
    return {
        "X": rng.integers(0, 256, (32, 32, 3, 12), dtype=np.uint8),
        "y": (np.arange(12, dtype=np.uint8) % 10 + 1)[:, np.newaxis],
    }
