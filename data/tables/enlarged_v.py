"""The enlarged V as a table of samples with their true label or pseudo-label."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.tables.parquet import read_table, write_table

FILE = "enlarged_v.parquet"
SCHEMA = pa.schema(
    [("sample_id", pa.int64()), ("label", pa.int64()), ("pseudo", pa.bool_())],
)


@dataclass(frozen=True, kw_only=True)
class EnlargedV:
    """Samples of the enlarged V.

    Attributes:
        sample_id: int64 [N], row numbers in the prepared target set.
        label: int64 [N], indices into the target's classes.
        pseudo: bool [N], whether the label is a pseudo-label.
    """

    sample_id: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    pseudo: npt.NDArray[np.bool_]


def save_enlarged(enlarged: EnlargedV, folder: Path) -> None:
    """Write the table by ascending sample_id; the same samples give the same bytes."""
    order = np.argsort(enlarged.sample_id, kind="stable")
    columns = [
        pa.array(enlarged.sample_id[order], pa.int64()),
        pa.array(enlarged.label[order], pa.int64()),
        pa.array(enlarged.pseudo[order], pa.bool_()),
    ]
    write_table(pa.Table.from_arrays(columns, schema=SCHEMA), folder / FILE)


def load_enlarged(folder: Path) -> EnlargedV:
    """Read a table written by `save_enlarged`.

    Raises:
        DataError: if the file is missing, damaged or has other columns.
    """
    table = read_table(folder / FILE, SCHEMA, "an enlarged V")
    return EnlargedV(
        # Copied because Arrow's memory is read-only, which makes `torch.from_numpy` warn.
        sample_id=np.array(table.column("sample_id").to_numpy()),
        label=np.array(table.column("label").to_numpy()),
        pseudo=np.array(table.column("pseudo").to_numpy()),
    )
