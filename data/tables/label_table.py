"""The table of labels that `gradmix label` writes, in CSV or Parquet."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from data.atomic import replacing, write_atomically
from data.errors import DataError
from data.fingerprint import canonical_json
from data.tables.parquet import write_table

METADATA_KEY = b"gradmix"
SUFFIXES = (".csv", ".parquet")
SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("label", pa.string()),
        ("confidence", pa.float64()),
        ("runner_up", pa.string()),
        ("runner_up_confidence", pa.float64()),
        ("agreement", pa.float64()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class LabelRow:
    """A file and its label; fractions are in [0, 1].

    Attributes:
        path: path of the file, relative to the table's folder if it is below it.
        label: predicted class; "" if the confidence is too low.
        confidence: mean probability, over members, of the first choice.
        runner_up: second choice; "" if there is only one class.
        runner_up_confidence: mean probability of the second choice.
        agreement: fraction of the members with that first choice.
    """

    path: str
    label: str
    confidence: float
    runner_up: str
    runner_up_confidence: float
    agreement: float


def check_suffix(path: Path) -> None:
    """Raise DataError unless the suffix is that of CSV or Parquet."""
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"Expected a name that ends in .csv or .parquet, found {path}: rename it.")


def write_label_table(rows: Sequence[LabelRow], metadata: Mapping[str, Any], path: Path) -> None:
    """Write a table atomically; only Parquet includes the metadata.

    The metadata is one JSON text under the schema key "gradmix".

    Raises:
        DataError: if the suffix is neither .csv nor .parquet.
        OSError: if the table cannot be written.
    """
    check_suffix(path)
    values = [astuple(row) for row in rows]
    if path.suffix.lower() == ".csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(SCHEMA.names)
        for place, label, *numbers in values:
            writer.writerow([place, label, *map(_short, numbers)])
        write_atomically(path, text.getvalue())
        return
    schema = SCHEMA.with_metadata({METADATA_KEY: canonical_json(metadata)})
    columns = [
        pa.array([row[place] for row in values], field.type) for place, field in enumerate(SCHEMA)
    ]
    with replacing(path) as temporary:
        write_table(pa.Table.from_arrays(columns, schema=schema), temporary)


def _short(value: float | str) -> str:
    return f"{value:.4f}" if isinstance(value, float) else value
