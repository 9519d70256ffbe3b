"""Folder trees of photos and clips, and the lists that name their files."""

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from data.errors import DataError, one_line
from data.names import fold, normal
from data.readers.ignored_names import why_ignored

GO_ON = "or continue anyway (partial = true, or --partial)"


@dataclass(frozen=True)
class Tree:
    """Contents of a folder, except files left by operating systems (see `why_ignored`).

    Attributes:
        files: sorted file paths relative to the folder, with `/`.
        folders: sorted folder paths, likewise.
        dead: number of broken links, links to a parent, and special files.
        ignored: reason by ignored path; the contents of ignored folders are not listed.
    """

    files: tuple[str, ...]
    folders: tuple[str, ...]
    dead: int
    ignored: Mapping[str, str] = field(default_factory=dict)

    def find(self, named: str) -> str | None:
        """The file at this path, or else the first that differs only in case or Unicode form."""
        return named if named in self._exact else self._folded.get(fold(named))

    def unused(self, prefix: str = "") -> dict[str, int]:
        """Number of ignored paths below a prefix, by reason."""
        below = Counter(why for path, why in self.ignored.items() if path.startswith(prefix))
        return not_zero(dict(sorted(below.items())) | {"links that lead nowhere": self.dead})

    @cached_property
    def _exact(self) -> frozenset[str]:
        return frozenset(self.files)

    @cached_property
    def _folded(self) -> Mapping[str, str]:
        return {fold(path): path for path in reversed(self.files)}


def read_tree(root: Path) -> Tree:
    """Read the tree under a folder, following links unless they lead to a parent.

    Raises:
        DataError: if a folder is missing or cannot be read, or a name is not UTF-8.
    """
    found = list(_walk(root, "", frozenset()))
    return Tree(
        files=tuple(sorted(path for path, kind in found if kind is False)),
        folders=tuple(sorted(path for path, kind in found if kind is True)),
        dead=sum(kind is None for _, kind in found),
        ignored={path: kind for path, kind in found if isinstance(kind, str)},
    )


Kind = bool | str | None
"""True for a folder, False for a file, None for neither, or the reason it is ignored."""


def _walk(
    folder: Path, prefix: str, above: frozenset[tuple[int, int]]
) -> Iterator[tuple[str, Kind]]:
    """The paths below a folder with their kinds; `above` are its parents."""
    entries = _entries(folder)
    inside = above | {_identity(folder)}
    for name, kind in entries:
        path = f"{prefix}{name}"
        if kind is not True:
            yield path, kind
        elif _identity(folder / name) in inside:
            yield path, None
        else:
            yield path, True
            yield from _walk(folder / name, f"{path}/", inside)


def _entries(folder: Path) -> list[tuple[str, Kind]]:
    """The names in a folder with their kinds."""
    try:
        with os.scandir(folder) as entries:
            return [(_name(entry, folder), _kind(entry)) for entry in entries]
    except OSError as error:
        raise DataError(
            f"Expected a readable folder at {folder}, found none ({error.strerror}): "
            "check the path and its permissions."
        ) from error


def _identity(folder: Path) -> tuple[int, int]:
    """Identity of a folder, independent of its path."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def _name(entry: os.DirEntry[str], folder: Path) -> str:
    try:
        entry.name.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{folder}: expected file names in UTF-8, found {entry.name!a}: rename it."
        ) from error
    return entry.name


def _kind(entry: os.DirEntry[str]) -> Kind:
    if why := why_ignored(entry.name):
        return why
    try:
        return entry.is_dir() or (False if entry.is_file() else None)
    except OSError:  # a link to itself
        if entry.is_symlink():
            return None
        raise


def name_key(name: str) -> str:
    """A name without case, spaces, underscores, hyphens and other punctuation."""
    return fold(re.sub(r"[\W_]+", "", normal(name)))


def homes(root: Path, name: str) -> tuple[Path, ...]:
    """Candidate folders of a data set: those with its name in `root` (see `name_key`), and `root`.

    Raises:
        DataError: if `root` is missing or cannot be read.
    """
    named = sorted(
        entry
        for entry, kind in _entries(root)
        if kind is True and name_key(entry) == name_key(name)
    )
    return (*(root / entry for entry in named), root)


def has_suffix(path: str, suffixes: Collection[str]) -> bool:
    """Whether a path ends in one of the suffixes, in any case."""
    # As `PurePosixPath.suffix`, which is slow for 10,000 files.
    name = path[path.rfind("/") + 1 :]
    dot = name.rfind(".")
    return 0 < dot < len(name) - 1 and name[dot:].lower() in suffixes


def read_lines(
    path: Path, errors: Literal["strict", "replace"] = "strict"
) -> list[tuple[int, str]]:
    """The non-blank lines of a text file with CRLF or LF, numbered from 1.

    Args:
        path: the file.
        errors: "replace" tolerates bytes that are not UTF-8.

    Raises:
        DataError: if the file is missing or not UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors=errors)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"Expected a list in UTF-8 at {path}, found none ({one_line(error)}): "
            "use the one that comes with the data set."
        ) from error
    stripped = ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1))
    return [(number, line) for number, line in stripped if line]


def check_complete(
    count: int, missing: Sequence[str], kind: str, list_name: str, folder: Path
) -> None:
    """Raise DataError if some of the files named by a list are missing.

    Args:
        count: number of files the list names.
        missing: names of the missing files.
        kind: plural noun for the files.
        list_name: file name of the list.
        folder: folder that was searched.
    """
    if missing:
        raise DataError(
            f"Expected {count:,} {kind} of {list_name} under {folder}, found "
            f"{count - len(missing):,}, the first missing one is {missing[0]}: add them, {GO_ON}."
        )


def not_zero(counts: Mapping[str, int]) -> dict[str, int]:
    """The non-zero counts."""
    return {reason: count for reason, count in counts.items() if count}
