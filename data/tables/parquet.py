"""Parquet files: equal tables give equal bytes, and bad files a one-line error."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import DataError, one_line

PARQUET = {
    "compression": "zstd",
    "compression_level": 3,
    "version": "2.6",
    "data_page_version": "1.0",
}
"""All settings that affect a file's bytes, except the row group size."""


def write_table(table: pa.Table, path: Path) -> None:
    """Write a Parquet file."""
    pq.write_table(table, path, row_group_size=1 << 20, **PARQUET)


def read_table(path: Path, schema: pa.Schema, content: str) -> pa.Table:
    """Read a Parquet file with exactly the columns of `schema`, in order.

    Args:
        path: path of the file.
        schema: expected column names and types; metadata is not compared.
        content: what the file should contain, for errors.

    Raises:
        DataError: if the file is missing, not Parquet, damaged, or has other columns.
    """
    table = read_any_table(path, content)
    if not table.schema.equals(schema, check_metadata=False):
        raise DataError(
            f"{path}: expected the columns {_columns(schema)}, found {_columns(table.schema)}: "
            f"this is not a file of {content} of this version, create it again."
        )
    return table


def read_any_table(path: Path, content: str) -> pa.Table:
    """Read a Parquet file, whatever its columns.

    Raises:
        DataError: if the file is missing, not Parquet or damaged.
    """
    try:
        # pq.read_table would add columns from folder names.
        with pq.ParquetFile(path) as file:
            return file.read()
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"Expected a Parquet file of {content} at {path}, found a missing or damaged one "
            f"({one_line(error)}): create it again."
        ) from error


def has_column(path: Path, name: str) -> bool:
    """Whether a Parquet file has a column; False if it is not a Parquet file."""
    try:
        return name in pq.read_schema(path).names
    except (OSError, pa.ArrowException):
        return False


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
