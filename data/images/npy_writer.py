"""A `.npy` file of images or maps that is written in batches and may exceed memory."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data.errors import DataError


class ImageFile:
    """Appends rows of one shape to a memory-mapped file.

    Args:
        path: path of the file; an existing file is replaced.
        most: maximum number of rows.
        shape: shape of a row.
        dtype: dtype of the rows.

    Raises:
        DataError: if the disk has no room for that many rows.
    """

    def __init__(
        self, path: Path, most: int, shape: tuple[int, ...], dtype: npt.DTypeLike = np.uint8
    ) -> None:
        path.unlink(missing_ok=True)
        _check_room(path, most * int(np.prod(shape)) * np.dtype(dtype).itemsize)
        self._path, self._count = path, 0
        self._rows = np.lib.format.open_memmap(path, "w+", dtype=dtype, shape=(most, *shape))

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Write the next rows [B, ...]."""
        self._rows[self._count : self._count + len(rows)] = rows
        self._count += len(rows)

    def close(self) -> npt.NDArray[Any]:
        """Truncate the file to the N rows written and map it for reading: [N, ...]."""
        self._rows.flush()
        if self._count < len(self._rows):
            _shorten(self._path, self._rows, self._count)
        # Copy-on-write, since torch requires writable memory.
        mapped: npt.NDArray[Any] = np.load(self._path, mmap_mode="c", allow_pickle=False)
        return mapped


def _check_room(path: Path, size: int) -> None:
    """Check for free space first, since creating a sparse file always succeeds."""
    status = os.statvfs(path.parent)
    free = status.f_bavail * status.f_frsize
    if free < size:
        raise DataError(
            f"{path.parent}: expected {size / 2**30:.1f} GiB for images, found "
            f"{free / 2**30:.1f} GiB free: make room, or lower images.side or images.frames."
        )


def _shorten(path: Path, rows: npt.NDArray[Any], count: int) -> None:
    """Cut a `.npy` file to its first `count` rows, in place."""
    header = np.lib.format.header_data_from_array_1_0(rows[:count])
    with path.open("r+b") as file:
        version = np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        start = file.tell()
        file.seek(0)
        np.lib.format.write_array_header_1_0(file, header)
        # Headers are padded to a multiple of 64 bytes, and fewer rows never need more digits.
        if version != (1, 0) or file.tell() != start:
            raise DataError(f"{path}: expected a header of {start} bytes, found another length.")
        file.truncate(start + count * rows[0].nbytes)
