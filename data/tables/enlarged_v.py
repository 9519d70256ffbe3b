"""The enlarged V as a table: samples with their true or pseudo-label."""

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
        label: int64 [N], positions in the target's classes.
        pseudo: bool [N], whether the label is a pseudo-label.
    """

    sample_id: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    pseudo: npt.NDArray[np.bool_]


def save_enlarged(enlarged: EnlargedV, folder: Path) -> None:
    """Write the table into a folder by ascending sample_id; same samples, same bytes."""
    order = np.argsort(enlarged.sample_id, kind="stable")
    columns = [
        pa.array(enlarged.sample_id[order], pa.int64()),
        pa.array(enlarged.label[order], pa.int64()),
        pa.array(enlarged.pseudo[order], pa.bool_()),
    ]
    write_table(pa.Table.from_arrays(columns, schema=SCHEMA), folder / FILE)


def load_enlarged(folder: Path) -> EnlargedV:
    """Read the table back.

    Raises:
        DataError: if the file is missing or damaged or has other columns.
    """
    table = read_table(folder / FILE, SCHEMA, "an enlarged V")
    return EnlargedV(
        # Copies: Arrow's own memory is read-only, which `torch.from_numpy` warns of.
        sample_id=np.array(table.column("sample_id").to_numpy()),
        label=np.array(table.column("label").to_numpy()),
        pseudo=np.array(table.column("pseudo").to_numpy()),
    )
