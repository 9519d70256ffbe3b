"""Which test images or clips each model classifies right, as Parquet with a column per model."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import DataError, one_line
from data.tables.parquet import write_table

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
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"Expected a Parquet file of right answers at {path}, found a missing or damaged one "
            f"({one_line(error)}): create it again."
        ) from error
    return {name: table[name].to_numpy() for name in table.column_names}
