"""Reads columns of CSV and Parquet tables as text, with row numbers."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import DataError, ProblemsError, one_line
from data.names import fold

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = (",", ";", "\t", "|")
_SPARE = 64
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


@dataclass
class Problems:
    """Problems of a table, by row."""

    path: Path
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, row: int, text: str) -> None:
        """Add a problem of a row."""
        self.found.append((row, f"{self.path}, row {row}: {text}"))

    def refuse(self) -> None:
        """Raise ProblemsError with all problems in row order, if there are any."""
        if self.found:
            raise ProblemsError([text for _, text in sorted(self.found)], str(self.path))


def read_columns(path: Path, names: Sequence[str], needed: Sequence[str]) -> "pd.DataFrame":
    """Read the named columns of a table as stripped text; absent columns are empty.

    The index has the row numbers, as in a spreadsheet; in Parquet, from 1. Rows that are empty in
    these columns are left out.

    Args:
        path: path of the table: Parquet by its suffix, else CSV.
        names: names of the columns, in any case in the file.
        needed: required columns; the first one is used to detect the separator of CSV.

    Raises:
        DataError: if the table cannot be read or lacks a column.
        ProblemsError: if rows have too many fields.
    """
    parquet = path.suffix.lower() == ".parquet"
    table = _read_parquet(path, names) if parquet else _read_csv(path, needed[0])
    folded = [fold(str(name).strip()) for name in table.columns]
    wrong = [name for name in needed if folded.count(name) != 1]
    wrong += [name for name in names if name not in needed and folded.count(name) > 1]
    if wrong:
        there = ", ".join(map(str, table.columns[:20])) or "none"
        raise DataError(
            f"{path}: expected the columns {', '.join(needed)}, each once, found {there}: name "
            "them in the first row."
        )
    there_too = [name for name in names if name in folded]
    kept = table.iloc[:, [folded.index(name) for name in there_too]].set_axis(there_too, axis=1)
    try:
        texts: pd.DataFrame = kept.astype("string").fillna("").apply(lambda text: text.str.strip())
    # Parquet may contain bytes that are not text.
    except Exception as error:
        raise _unreadable(path, path.suffix[1:], error) from error
    filled: pd.Series[bool] = (texts != "").any(axis="columns")
    return texts.loc[filled].reindex(columns=list(names), fill_value="")


def _read_parquet(path: Path, wanted: Sequence[str]) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415 - slow, and only needed here
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        # pandas.read_parquet would add columns found in folder names.
        with pq.ParquetFile(path) as file:
            whole = file.read()
        names = whole.column_names
        # pandas identifies columns by name, so duplicates of unused ones are dropped.
        kept = [
            place
            for place, name in enumerate(names)
            if names.index(name) == place or name in wanted
        ]
        table: pd.DataFrame = whole.select(kept).to_pandas(types_mapper=pd.ArrowDtype)
        table.index = pd.RangeIndex(1, len(table) + 1)
    # PyArrow raises many errors on damaged bytes.
    except Exception as error:
        raise _unreadable(path, "Parquet", error) from error
    return table


def _read_csv(path: Path, first: str) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415 - slow, and only needed here

    text = _text(path)
    separator, header = _header(text, first)
    widest = max((line.count(separator) for line in text.splitlines()), default=0) + 1
    # pandas rejects rows with even more fields.
    widest = max(len(header), min(widest, len(header) + _SPARE))
    try:
        table = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            names=range(widest),
            dtype="string",
            keep_default_na=False,
            skip_blank_lines=False,
            skipinitialspace=True,
        )
    except Exception as error:
        raise _unreadable(path, "CSV", error) from error
    table.index = pd.RangeIndex(1, len(table) + 1)
    _check_fields(table.iloc[1:, len(header) :], path, len(header))
    return table.iloc[1:, : len(header)].set_axis(header, axis="columns")


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"Expected a readable table at {path}, found none ({error.strerror}): check the path."
        ) from error
    marks = (code for mark, code in _BYTE_ORDER_MARKS.items() if content.startswith(mark))
    try:
        return content.decode(next(marks, "utf-8"))
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, row {row}: expected text in UTF-8, found other bytes: save it as 'CSV UTF-8'."
        ) from error


def _header(text: str, name: str) -> tuple[str, list[str]]:
    """The separator that finds this name in the first row, and that row."""
    first = text.partition("\n")[0].rstrip("\r")
    for separator in _SEPARATORS:
        cells = next(csv.reader([first], delimiter=separator, skipinitialspace=True), [])
        if name in [fold(cell.strip()) for cell in cells]:
            return separator, cells
    return _SEPARATORS[0], first.split(_SEPARATORS[0])


def _check_fields(spare: "pd.DataFrame", path: Path, count: int) -> None:
    """Raise ProblemsError for rows with more fields than the header."""
    problems = Problems(path)
    filled = (spare.fillna("") != "").any(axis="columns")
    for number in filled.index[filled].tolist():
        text = f"expected {count} fields, found more: put a field with the separator in quotes."
        problems.add(number, text)
    problems.refuse()


def _unreadable(path: Path, kind: str, error: Exception) -> DataError:
    return DataError(
        f"Expected a {kind} table of files at {path}, found one that cannot be read "
        f"({one_line(error)}): create it again."
    )
