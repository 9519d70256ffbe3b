"""Conversion between arrays and columns of Parquet tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.counting import counted
from data.errors import DataError

Floats = npt.NDArray[np.float32]


def texts(values: Sequence[str] | None, rows: int) -> pa.Array:
    """A column of texts, or of nulls."""
    return pa.nulls(rows, pa.string()) if values is None else pa.array(list(values), pa.string())


def nested(values: Floats) -> pa.Array:
    """Convert an array [N, ..., C] to a column of (nested) lists."""
    column = pa.array(values.reshape(-1), pa.float32())
    for axis in range(values.ndim - 1, 0, -1):
        n_lists, length = int(np.prod(values.shape[:axis])), values.shape[axis]
        offsets = np.arange(n_lists + 1, dtype=np.int32) * np.int32(length)
        column = pa.ListArray.from_arrays(pa.array(offsets), column)
    return column


def flat(table: pa.Table, name: str) -> npt.NDArray[Any]:
    """A column without nulls as a writable array, as `torch.from_numpy` requires."""
    column = table.column(name)
    if column.null_count:
        raise DataError(
            f"expected a {name} in every row, found none in {counted(column.null_count, 'row')}."
        )
    return np.array(column.to_numpy())


def clips(table: pa.Table) -> list[str] | None:
    """The clip of every row; None if no row has one."""
    column = table.column("clip")
    if column.null_count not in {0, table.num_rows}:
        raise DataError(
            "expected a clip in every row or in none, found none in "
            f"{counted(column.null_count, 'row')}."
        )
    clips: list[str] = column.to_pylist()
    return None if column.null_count == table.num_rows else clips


def unnested(table: pa.Table, name: str, shape: tuple[int, ...]) -> Floats:
    """Convert a column of (nested) lists to an array; list lengths must match `shape`."""
    column = table.column(name).combine_chunks()
    for length in shape[1:]:
        import pyarrow.compute as pc  # noqa: PLC0415 - slow, and only needed here

        lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
        if column.null_count or not (lengths == length).all():
            raise DataError(
                f"expected {name} of shape {list(shape)}, found lists of other lengths."
            )
        column = column.flatten()
    values: Floats = column.to_numpy(zero_copy_only=False).astype(np.float32).reshape(shape)
    return values
