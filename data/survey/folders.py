"""How folders and tables of files lie: with a folder for each class, or flat."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from data.errors import DataError
from data.readers.class_folders import SUFFIXES
from data.readers.columns import read_columns
from data.readers.file_table import LABEL, PATH, TABLE_SUFFIXES
from data.readers.file_tree import has_suffix, read_tree

Form = Literal["classes", "flat", "nested", "empty"]
"""A folder for each class (or a table with labels); files alone; folders of these; no files."""
DECISION = "decision"
"""A column that corrections have, and tables of files do not."""
_MEDIA = SUFFIXES["photos"] | SUFFIXES["clips"]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A folder or a table that may hold files of one role.

    Attributes:
        place: where it is.
        form: how it lies.
        files: photos and clips in it.
        classes: folders with files of their own, directly in it, or labels of a table.
    """

    place: Path
    form: Form
    files: int
    classes: int = 0


def candidates(root: Path) -> list[Candidate]:
    """The folders directly in a folder, and its tables of files, by name.

    A folder of folders that hold a folder for each class, as `sources`, counts as what is in it.

    Raises:
        DataError: if the folder is missing or cannot be read.
    """
    tree = read_tree(root)
    direct = Counter(_parent(path) for path in tree.files if has_suffix(path, _MEDIA))
    tops = sorted({path.partition("/")[0] for path in tree.folders})
    tables = [path for path in tree.files if "/" not in path and has_suffix(path, TABLE_SUFFIXES)]
    found = [one for top in tops for one in _opened(root, top, direct)]
    return [*found, *(one for name in tables if (one := table_candidate(root / name)) is not None)]


def candidate(place: Path) -> Candidate:
    """What lies at one path.

    Raises:
        DataError: if nothing does, or it is no table of files.
    """
    if place.is_file() and has_suffix(place.name, TABLE_SUFFIXES):
        found = table_candidate(place)
        if found is None:
            raise DataError(f"Expected a column path in {place}, found none: name another table.")
        return found
    direct = Counter(_parent(path) for path in read_tree(place).files if has_suffix(path, _MEDIA))
    return _of_folder(place, "", direct)


def table_candidate(table: Path) -> Candidate | None:
    """A table of files; None if it has no column `path`, or lists decisions."""
    try:
        columns = read_columns(table, [PATH, LABEL, DECISION], [PATH])
    except DataError:
        return None
    labels = set(columns[LABEL]) - {""}
    if any(columns[DECISION] != ""):
        return None
    form: Form = "classes" if labels else "flat"
    return Candidate(place=table, form=form, files=len(columns), classes=len(labels))


def _opened(root: Path, prefix: str, direct: Counter[str]) -> Iterator[Candidate]:
    """A folder, or in place of a nested one the folders in it."""
    found = _of_folder(root / prefix, f"{prefix}/", direct)
    if found.form != "nested":
        yield found
        return
    for name in sorted({path.split("/")[1] for path in direct if path.startswith(f"{prefix}/")}):
        yield _of_folder(root / prefix / name, f"{prefix}/{name}/", direct)


def _of_folder(place: Path, prefix: str, direct: Counter[str]) -> Candidate:
    """A folder, of which `direct` counts the files by the folder that they lie in."""
    below = {path: count for path, count in direct.items() if f"{path}/".startswith(prefix)}
    inside = [path.removeprefix(prefix) for path in below if path != prefix.rstrip("/")]
    classes = [name for name in inside if name and "/" not in name]
    form: Form = "classes" if classes else "nested" if inside and any(inside) else "flat"
    files = sum(below.values())
    return Candidate(
        place=place, form=form if files else "empty", files=files, classes=len(classes)
    )


def _parent(path: str) -> str:
    parent = str(PurePosixPath(path).parent)
    return "" if parent == "." else parent
