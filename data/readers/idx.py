"""The idx format of MNIST: a big-endian header, then the bytes (LeCun et al., 1998).

Header: 4-byte magic number (0, 0, type code, number of axes), then one uint32 per axis.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data.errors import DataError, one_line

UNSIGNED_BYTE = 0x08
WORD = 4


def read_idx(path: Path, axes: int) -> npt.NDArray[np.uint8]:
    """Read an idx file of unsigned bytes, gzip-compressed if its name ends in .gz.

    Args:
        path: path of the file.
        axes: expected number of axes: 3 for images, 1 for labels.

    Returns:
        Read-only uint8 array with the shape in the header.

    Raises:
        DataError: if the file is missing, its gzip stream is damaged, its magic number is wrong,
            or its body is shorter or longer than the header says.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            body = file.read()
    except FileNotFoundError as error:
        raise DataError(
            f"Expected an idx file at {path}, found none: check the data folder or download it."
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"Expected a readable idx file at {path}, found a damaged one ({one_line(error)}): "
            "delete it and download it again."
        ) from error
    return parse_idx(body, axes, str(path))


def parse_idx(body: bytes, axes: int, name: str) -> npt.NDArray[np.uint8]:
    """Parse the uncompressed contents of an idx file; see `read_idx`.

    Args:
        body: contents of the file.
        axes: expected number of axes.
        name: name of the file in errors.

    Returns:
        Read-only uint8 view of `body` with the shape in the header.

    Raises:
        DataError: if the magic number is wrong or the body does not match the header.
    """
    expected_magic = UNSIGNED_BYTE << 8 | axes
    header = WORD * (1 + axes)
    if len(body) >= WORD:
        (magic,) = struct.unpack_from(">I", body)
        if magic != expected_magic:
            raise DataError(
                f"{name}: expected the idx magic number 0x{expected_magic:08x}, "
                f"found 0x{magic:08x}: the file is not what its name says."
            )
    if len(body) < header:
        raise DataError(
            f"{name}: expected an idx header of {header} bytes, found {len(body)} bytes: "
            "the file is truncated, download it again."
        )
    shape = struct.unpack_from(f">{axes}I", body, WORD)
    expected, found = math.prod(shape), len(body) - header
    if found != expected:
        fault = "the file is truncated" if found < expected else "the file has trailing bytes"
        raise DataError(
            f"{name}: expected {expected} bytes of data for shape {list(shape)}, found {found}: "
            f"{fault}, download it again."
        )
    return np.frombuffer(body, np.uint8, offset=header).reshape(shape)
