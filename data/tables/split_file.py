"""The roles of the target's training rows as a Parquet file."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.errors import DataError
from data.tables.parquet import has_column, read_table, write_table
from data.tables.split import HYPER_VALIDATION, Rows, Split, U, V

LABEL = "label"
SCHEMA = pa.schema([("sample_id", pa.int64()), ("role", pa.string())])
LABELLED_SCHEMA = SCHEMA.append(pa.field(LABEL, pa.int64()))


def save_split(split: Split, path: Path) -> None:
    """Write a split as Parquet, by ascending sample_id; the same split gives the same bytes.

    Columns: sample_id (int64, row number in the prepared set) and role (string); label (int64, -1
    in U) if the split has its own labels.
    """
    parts = {HYPER_VALIDATION: split.hyper_validation, V: split.v, U: split.u}
    ids = np.concatenate(list(parts.values()))
    roles = np.repeat(list(parts), [len(rows) for rows in parts.values()])
    order = np.argsort(ids, kind="stable")
    columns = [pa.array(ids[order], pa.int64()), pa.array(roles[order].tolist(), pa.string())]
    if split.labels is None:
        write_table(pa.Table.from_arrays(columns, schema=SCHEMA), path)
        return
    labels = [split.labels.get(row, -1) for row in ids[order].tolist()]
    columns.append(pa.array(labels, pa.int64()))
    write_table(pa.Table.from_arrays(columns, schema=LABELLED_SCHEMA), path)


def load_split(path: Path) -> Split:
    """Read a split written by `save_split`.

    Raises:
        DataError: if the file is missing or damaged, or has other columns, an unknown role, a null
            or a sample with two roles.
    """
    labelled = has_column(path, LABEL)
    table = read_table(path, LABELLED_SCHEMA if labelled else SCHEMA, "sample roles")
    roles = np.array(table.column("role").to_pylist(), dtype=object)
    known = np.isin(roles, [HYPER_VALIDATION, V, U])
    if not known.all() or table.column("sample_id").null_count:
        found = roles[np.argmin(known)] if not known.all() else "no sample_id"
        raise DataError(
            f"{path}: expected a sample_id and a role among {HYPER_VALIDATION}, {V}, {U} in every "
            f"row, found {found}: create the split again."
        )
    ids = table.column("sample_id").to_numpy().astype(np.int64)
    if len(np.unique(ids)) != len(ids):
        raise DataError(
            f"{path}: expected one role for each sample, found {len(ids)} rows for "
            f"{len(np.unique(ids))} samples: create the split again."
        )
    return Split(
        hyper_validation=np.sort(ids[roles == HYPER_VALIDATION]),
        v=np.sort(ids[roles == V]),
        u=np.sort(ids[roles == U]),
        labels=_own_labels(table, ids, roles) if labelled else None,
    )


def _own_labels(table: pa.Table, ids: Rows, roles: npt.NDArray[np.object_]) -> dict[int, int]:
    known = roles != U
    numbers = table.column(LABEL).to_numpy()[known].astype(np.int64)
    return dict(zip(ids[known].tolist(), numbers.tolist(), strict=True))
