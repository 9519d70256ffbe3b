"""Tables of files in CSV or Parquet, with a row for each photo or clip."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from data.errors import DataError
from data.names import both, fold, normal
from data.readers.columns import Problems, read_columns

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet"})
PATH, LABEL, GROUP = "path", "label", "group"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A file named by a table.

    Attributes:
        number: row number, as in a spreadsheet; in Parquet, from 1.
        path: path relative to the table's folder, with `/`.
        label: class of the file; "" in a table without labels.
        group: recording of the file; its path if the table does not give one.
    """

    number: int
    path: str
    label: str
    group: str


def read_file_table(path: Path, *, labelled: bool, partial: bool = False) -> tuple[list[Row], int]:
    """Read the existing files named by a table, in its order, and count the missing ones.

    The columns `path`, `label` (if `labelled`) and, if present, `group` are read, in any case;
    others are ignored. CSV is UTF-8 (or UTF-16 with a byte order mark), separated by commas,
    semicolons, tabs or bars. Paths are relative to the table's folder; backslashes are read as
    slashes if that file exists.

    Args:
        path: path of the table.
        labelled: whether every row needs a label.
        partial: leave out missing files.

    Raises:
        ProblemsError: lists every row with a missing file, path or label, a repeated file, a path
            outside the folder, too many fields, or a second spelling of a class.
        DataError: if the table cannot be read or lacks a column.
    """
    needed = [PATH, LABEL] if labelled else [PATH]
    table = read_columns(path, [*needed, GROUP], needed)
    table = table.reindex(columns=[PATH, LABEL, GROUP], fill_value="")
    problems = Problems(path)
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
    table: "pd.DataFrame", folder: Path, problems: Problems, *, labelled: bool
) -> Iterator[Row]:
    """Yield the valid rows and add problems for the others."""
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
    """A path below the folder, with `/`; None if it is outside."""
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


def _check_twice(rows: Sequence[Row], problems: Problems) -> None:
    first: dict[str, int] = {}
    for row in rows:
        before = first.setdefault(row.path, row.number)
        if before != row.number:
            text = f"expected every file once, found {row.path} again, as in row {before}."
            problems.add(row.number, text)


def _check_spelling(rows: Sequence[Row], problems: Problems) -> None:
    """Add a problem for the first row with a rarer spelling of a class."""
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
