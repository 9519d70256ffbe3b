"""MATLAB 5 files, validated first because scipy's parser trusts their structure."""

import struct
import zlib
from pathlib import Path
from typing import Any

_HEADER, _ORDER = 128, slice(126, 128)
_MATRIX, _COMPRESSED = 14, 15
# miINT8 to miUTF32 without the reserved types (MAT-File Format, table 1-1).
_TYPES = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 14, 15, 16, 17, 18})
_DEEPEST = 32


def load_mat(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Load the named variables.

    Raises:
        Exception: of many kinds, if the file is missing, damaged or in another format; catch
            them all.
    """
    # Imported here because scipy would cost every command and job a second.
    from scipy.io import loadmat  # noqa: PLC0415

    _check(memoryview(path.read_bytes()))
    variables: dict[str, Any] = loadmat(path, variable_names=names)
    return variables


def _check(content: memoryview) -> None:
    """Raise ValueError if an element has an invalid type, or exceeds its container."""
    order = {b"IM": "<", b"MI": ">"}.get(bytes(content[_ORDER]))
    if order is None:
        raise ValueError("no byte order mark")
    _check_elements(content[_HEADER:], struct.Struct(f"{order}I").unpack_from, 0)


def _check_elements(body: memoryview, number: Any, depth: int) -> None:  # noqa: ANN401
    if depth > _DEEPEST:
        raise ValueError("matrices are nested too deeply")
    place = 0
    while place < len(body):
        (kind,), start = number(body, place), place + 8
        if kind >> 16:  # a small element, with its length in the upper half of the type
            kind, size, end = kind & 0xFFFF, kind >> 16, start
            start, fits = place + 4, size <= 4
        else:
            (size,) = number(body, place + 4)
            end = start + size
            fits = end <= len(body)
        if kind not in _TYPES or not fits:
            raise ValueError(f"an element of type {kind} and {size} bytes at {place}")
        if kind == _MATRIX:
            _check_elements(body[start:end], number, depth + 1)
        elif kind == _COMPRESSED:
            _check_elements(memoryview(zlib.decompress(body[start:end])), number, depth + 1)
        # Elements start at multiples of 8 bytes, except after a compressed one.
        place = end if kind == _COMPRESSED else -(-end // 8) * 8
