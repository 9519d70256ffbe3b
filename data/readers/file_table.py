"""Tables of files, CSV or Parquet: a row for each photo or clip."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from data.errors import DataError, ProblemsError, one_line
from data.names import both, fold, normal

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet"})
PATH, LABEL, GROUP = "path", "label", "group"
_SEPARATORS = (",", ";", "\t", "|")
_SPARE = 64
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A file that a table names.

    Attributes:
        number: of its row, as a spreadsheet counts; in Parquet, from 1.
        path: relative to the table's folder, with `/`.
        label: its class; "" in a table without labels.
        group: the recording that it is of; its path where the table does not say.
    """

    number: int
    path: str
    label: str
    group: str


@dataclass
class _Problems:
    """What is wrong with a table, with the row of each."""

    path: Path
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, row: int, text: str) -> None:
        self.found.append((row, f"{self.path}, row {row}: {text}"))

    def refuse(self) -> None:
        if self.found:
            raise ProblemsError([text for _, text in sorted(self.found)], str(self.path))


def read_file_table(path: Path, *, labelled: bool, partial: bool = False) -> tuple[list[Row], int]:
    """The files that a table names, in its order, and how many of them are not there.

    The columns `path`, `label` (if `labelled`) and, if there is one, `group` are read, whatever
    their case; others are not. CSV is UTF-8 (or UTF-16 with its mark), separated by commas,
    semicolons, tabs or bars. Paths start at the table's folder; Windows' backslashes count as
    slashes where that file is there.

    Args:
        path: of the table.
        labelled: every row needs a label.
        partial: leave out files that are not there.

    Raises:
        ProblemsError: a line for every row with a missing file, path or label, a file named
            twice, a path that leads elsewhere, fields to spare, or a class spelled in two ways.
        DataError: if the table cannot be read or lacks a column.
    """
    table = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    names = [PATH, LABEL, GROUP] if labelled else [PATH, GROUP]
    table = _columns(table, path, names, needed=names[:-1])
    problems = _Problems(path)
    rows = list(_rows(table, path.parent, problems, labelled=labelled))
    there = [row for row in rows if _exists(path.parent / row.path)]
    missing = set(rows) - set(there)
    for row in missing if not partial else ():
        problems.add(row.number, f"expected a file at {path.parent / row.path}, found none.")
    _check_twice(rows, problems)
    _check_spelling(rows, problems)
    problems.refuse()
    if not there:
        raise DataError(f"{path}: expected a row for each file, found none: add them.")
    return there, len(rows) - len(there)


def _rows(
    table: "pd.DataFrame", folder: Path, problems: _Problems, *, labelled: bool
) -> Iterator[Row]:
    """The rows that can be read; the others are problems."""
    columns = (table[name].tolist() for name in (PATH, LABEL, GROUP))
    for number, named, label, group in zip(table.index.tolist(), *columns, strict=True):
        path = _path(named, folder)
        if not named:
            problems.add(number, "expected a path, found none.")
        elif path is None:
            text = (
                f"expected a path below {folder}, found {named!r}: write it relative to the table."
            )
            problems.add(number, text)
        if labelled and not label:
            problems.add(number, f"expected a label for {named}, found none.")
        if path and (label or not labelled):
            yield Row(number=number, path=path, label=normal(label), group=group or path)


def _path(named: str, folder: Path) -> str | None:
    """A path below the folder, with `/`; None if it leads elsewhere."""
    for spelled in (named, named.replace("\\", "/")):
        path = PurePosixPath(spelled)
        if not spelled or "\0" in spelled or path.is_absolute() or ".." in path.parts:
            return None
        if _exists(folder / path):
            return str(path)
    return str(PurePosixPath(named))


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for the file system
        return False


def _check_twice(rows: Sequence[Row], problems: _Problems) -> None:
    first: dict[str, int] = {}
    for row in rows:
        before = first.setdefault(row.path, row.number)
        if before != row.number:
            text = f"expected every file once, found {row.path} again, as in row {before}."
            problems.add(row.number, text)


def _check_spelling(rows: Sequence[Row], problems: _Problems) -> None:
    """The rarer spelling of a class is the problem, in its first row."""
    counts = Counter(row.label for row in rows)
    usual: dict[str, str] = {}
    for label, _ in counts.most_common():
        usual.setdefault(fold(label), label)
    said = set()
    for row in rows:
        if row.label != usual[fold(row.label)] and row.label not in said:
            said.add(row.label)
            names = both(usual[fold(row.label)], row.label)
            problems.add(row.number, f"expected one spelling of a class, found {names}.")


def _columns(
    table: "pd.DataFrame", path: Path, names: Sequence[str], needed: Sequence[str]
) -> "pd.DataFrame":
    """The named columns as stripped texts; empty ones for those that are not there."""
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
    # Of Parquet, bytes that are no text.
    except Exception as error:
        raise _unreadable(path, path.suffix[1:], error) from error
    filled: pd.Series[bool] = (texts != "").any(axis="columns")
    return texts.loc[filled].reindex(columns=[PATH, LABEL, GROUP], fill_value="")


def _read_parquet(path: Path) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415 - slow, and only needed here

    try:
        # pandas.read_parquet would add columns found in folder names.
        with pq.ParquetFile(path) as file:
            whole = file.read()
        names = whole.column_names
        # pandas tells the columns of a table by their names.
        kept = [
            place
            for place, name in enumerate(names)
            if names.index(name) == place or name in (PATH, LABEL, GROUP)
        ]
        table: pd.DataFrame = whole.select(kept).to_pandas(types_mapper=pd.ArrowDtype)
        table.index = pd.RangeIndex(1, len(table) + 1)
    # PyArrow fails in many ways on damaged bytes.
    except Exception as error:
        raise _unreadable(path, "Parquet", error) from error
    return table


def _read_csv(path: Path) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415 - slow, and only needed here

    text = _text(path)
    separator, header = _header(text)
    widest = max((line.count(separator) for line in text.splitlines()), default=0) + 1
    # A row of more fields than that is no row of this table; pandas refuses it.
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
            f"Expected a table at {path}, found none that can be read ({error.strerror}): check "
            "the path."
        ) from error
    marks = (code for mark, code in _BYTE_ORDER_MARKS.items() if content.startswith(mark))
    try:
        return content.decode(next(marks, "utf-8"))
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, row {row}: expected text in UTF-8, found bytes that are none: save it as "
            "'CSV UTF-8'."
        ) from error


def _header(text: str) -> tuple[str, list[str]]:
    """The separator with which the first row names a path, and that row."""
    first = text.partition("\n")[0].rstrip("\r")
    for separator in _SEPARATORS:
        cells = next(csv.reader([first], delimiter=separator, skipinitialspace=True), [])
        if PATH in [fold(cell.strip()) for cell in cells]:
            return separator, cells
    return _SEPARATORS[0], first.split(_SEPARATORS[0])


def _check_fields(spare: "pd.DataFrame", path: Path, count: int) -> None:
    """Raise ProblemsError for rows that have more fields than the first row has names."""
    problems = _Problems(path)
    filled = (spare.fillna("") != "").any(axis="columns")
    for number in filled.index[filled].tolist():
        text = f"expected {count} fields, found more: put a field with the separator in quotes."
        problems.add(number, text)
    problems.refuse()


def _unreadable(path: Path, kind: str, error: Exception) -> DataError:
    return DataError(
        f"Expected a {kind} table of files at {path}, found one that cannot be read "
        f"({one_line(error)}): make it again."
    )
