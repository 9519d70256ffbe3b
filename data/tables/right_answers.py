"""Which test images or clips each model classifies right, as Parquet with a column per model."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.tables.parquet import read_any_table, write_table

Right = npt.NDArray[np.bool_]
"""Whether each sample is right, bool [N], in the order of the test split."""


def write_right_answers(columns: Mapping[str, Right], path: Path) -> None:
    """Write one column per model; all columns have the same length."""
    write_table(pa.table(dict(columns)), path)


def read_right_answers(path: Path) -> dict[str, Right]:
    """Read the columns by model name.

    Raises:
        DataError: if the file is missing or is not Parquet.
    """
    table = read_any_table(path, "right answers")
    return {name: table[name].to_numpy() for name in table.column_names}
