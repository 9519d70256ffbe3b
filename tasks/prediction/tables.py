"""Tables of labels: the user's, and its finished parts."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Required, TypedDict

import pyarrow as pa
import pyarrow.parquet as pq

from data.atomic import replacing, write_atomically
from data.errors import DataError

COLUMNS = ("path", "label", "confidence", "runner_up", "runner_up_confidence", "agreement")
REASON: Final = "reason"
"""Column of parts only: why a file has no label."""
DIGITS = 6
"""Decimals of shares in CSV."""
SUFFIXES = (".csv", ".parquet")
_TEXT, _SHARE = pa.string(), pa.float64()
SCHEMA = pa.schema(
    [
        ("path", _TEXT),
        ("label", _TEXT),
        ("confidence", _SHARE),
        ("runner_up", _TEXT),
        ("runner_up_confidence", _SHARE),
        ("agreement", _SHARE),
    ]
)
PART = SCHEMA.append(pa.field(REASON, _TEXT))


class Row(TypedDict, total=False):
    """A file's path, and either its label or the reason why it has none."""

    path: Required[str]
    label: str
    confidence: float
    runner_up: str | None
    runner_up_confidence: float | None
    agreement: float | None
    reason: str | None


def check_out(out: Path) -> None:
    """Check beforehand that a table can be written.

    Raises:
        DataError: if it is not a CSV or Parquet file, or its folder is missing.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"--out: expected a file named *.csv or *.parquet, found {out.name!r}: rename it."
        )
    if out.is_dir() or not out.parent.is_dir():
        found = "a folder there" if out.is_dir() else "no folder to hold it"
        raise DataError(f"--out: expected a file that can be written at {out}, found {found}.")


def write_part(rows: Sequence[Row], path: Path) -> None:
    """Write a finished part."""
    columns = {name: [row.get(name) for row in rows] for name in PART.names}
    with replacing(path) as temporary:
        pq.write_table(pa.table(columns, schema=PART), temporary)


def read_part(path: Path) -> list[Row] | None:
    """The rows of a finished part; None if it is damaged."""
    try:
        table = pq.read_table(path)
        rows: list[Row] = table.to_pylist()
    # Arrow raises various errors for damaged files.
    except Exception:
        return None
    return rows if table.schema.equals(PART) else None


def write_labels(rows: Sequence[Row], out: Path, about: Mapping[str, str]) -> None:
    """Write the user's table, CSV or Parquet depending on its name.

    Args:
        rows: rows of files with a label.
        out: path of the table.
        about: metadata for a Parquet file.
    """
    if out.suffix.lower() == ".csv":
        write_atomically(out, _csv(COLUMNS, rows))
        return
    columns = {name: [row.get(name) for row in rows] for name in COLUMNS}
    table = pa.table(columns, schema=SCHEMA).replace_schema_metadata(dict(about))
    with replacing(out) as temporary:
        pq.write_table(table, temporary)


def write_skipped(rows: Sequence[Row], path: Path) -> None:
    """Write the files without a label and the reasons; with none, remove an old list."""
    if rows:
        write_atomically(path, _csv(("path", REASON), rows))
    else:
        path.unlink(missing_ok=True)


def _csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:  # noqa: ANN401 - a text, a share, or nothing
    if isinstance(value, float):
        return f"{value:.{DIGITS}f}"
    return "" if value is None else value
