"""MATLAB 5 files, whose structure is checked before scipy's parser, which trusts it, sees them."""

import struct
import zlib
from pathlib import Path
from typing import Any

_HEADER, _ORDER = 128, slice(126, 128)
_MATRIX, _COMPRESSED = 14, 15
# miINT8 to miUTF32 without those that are reserved (MAT-File Format, table 1-1).
_TYPES = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 14, 15, 16, 17, 18})
_DEEPEST = 32


def load_mat(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """The variables of those names.

    Raises:
        Exception: of dozens of kinds if the file is missing, damaged or of another format: catch
            them all.
    """
    # Here, not on top: scipy costs every command, and every job, a second.
    from scipy.io import loadmat  # noqa: PLC0415

    _check(memoryview(path.read_bytes()))
    variables: dict[str, Any] = loadmat(path, variable_names=names)
    return variables


def _check(content: memoryview) -> None:
    """Raise ValueError if an element is of no type, or longer than what holds it."""
    order = {b"IM": "<", b"MI": ">"}.get(bytes(content[_ORDER]))
    if order is None:
        raise ValueError("no mark of the order of bytes")
    _check_elements(content[_HEADER:], struct.Struct(f"{order}I").unpack_from, 0)


def _check_elements(body: memoryview, number: Any, depth: int) -> None:  # noqa: ANN401
    if depth > _DEEPEST:
        raise ValueError("too many matrices inside of each other")
    place = 0
    while place < len(body):
        (kind,), start = number(body, place), place + 8
        if kind >> 16:  # a small element: its length is in the upper half of its type
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
        # Elements begin at multiples of 8 bytes, but for what follows a compressed one.
        place = end if kind == _COMPRESSED else -(-end // 8) * 8
