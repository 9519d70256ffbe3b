"""Your own files: labelled, in class folders or a table; or unlabelled, anywhere."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.counting import counted, singular
from data.errors import DataError
from data.listing import UNLABELLED, File, Listing, Media, check_groups
from data.names import fold
from data.reader import SPLITS, check_split
from data.readers.class_folders import (
    CLIP_FOLDERS,
    PHOTO_FOLDERS,
    SUFFIXES,
    UNREADABLE,
    FolderReader,
)
from data.readers.file_table import TABLE_SUFFIXES, Row, read_file_table
from data.readers.file_tree import GO_ON, has_suffix, not_zero, read_tree

_FOLDERS: dict[Media, FolderReader] = {"photos": PHOTO_FOLDERS, "clips": CLIP_FOLDERS}
_KINDS: tuple[Media, ...] = ("photos", "clips")


@dataclass(frozen=True)
class TableReader:
    """Reads a table of files, or a folder with `train.csv` and `test.csv`, or the same in Parquet.

    A single table is the split "train". See `read_file_table` for the format.
    """

    name: str
    media: Media
    embedded: bool = False
    version: int = 1

    def list(self, root: Path, split: str, *, partial: bool = False) -> Listing:
        """List the files of a split in the order of the table.

        Raises:
            DataError: if the table of the split is missing or has problems, or a recording is on
                both sides; unless `partial`, also if a file is missing or a class is on one side
                only.
        """
        check_split(split)
        tables = {side: _table_of(root, side) for side in SPLITS}
        found = {
            side: _from_table(table, self.media, side, partial=partial)
            for side, table in tables.items()
            if table
        }
        if split not in found:
            raise DataError(
                f"Expected a table {split}.csv or {split}.parquet in {root}, found none: add it."
            )
        if len(found) < len(SPLITS):
            return found[split]
        check_groups(found["train"], found["test"])
        classes = _common_classes(found["train"], found["test"], root, partial=partial)
        return found[split].with_classes(classes)


def is_table(place: Path) -> bool:
    """Whether a path has the name of a table of files."""
    return has_suffix(place.name, TABLE_SUFFIXES) and not place.is_dir()


def find_media(place: Path, usual: Media | None = None) -> Media:
    """Detect the media of the files in a folder or table, or of a single file.

    Args:
        place: the folder, the table or the file.
        usual: media to assume if there are both, or if a name tells neither.

    Raises:
        DataError: if there are neither photos nor clips, or both.
    """
    if is_table(place):
        paths: Sequence[str] = [row.path for row in read_file_table(place, labelled=False)[0]]
    else:
        paths = [place.name] if place.is_file() else read_tree(place).files
    found = [kind for kind in _KINDS if any(has_suffix(path, _suffixes(kind)) for path in paths)]
    if usual is not None and paths and len(found) != 1:
        return usual
    if len(found) != 1:
        there = " and ".join(found) or "neither"
        raise DataError(
            f"Expected either photos or clips at {place}, found {there}: "
            f"{'make each a separate data set' if found else 'check the path'}."
        )
    return found[0]


def list_labelled(
    place: Path, split: str = "train", *, media: Media | None = None, partial: bool = False
) -> Listing:
    """List the labelled photos or clips of a folder with class folders, or of a table.

    Args:
        place: the folder or the table.
        split: split of a folder that contains both.
        media: media of the files; None detects it.
        partial: accept missing files and list those that exist.

    Raises:
        DataError: if the files cannot be listed.
    """
    kind = media or find_media(place)
    if is_table(place):
        return _from_table(place, kind, split, partial=partial)
    return _FOLDERS[kind].list(place, split, partial=partial)


def list_unlabelled(
    places: Sequence[Path], *, media: Media | None = None, partial: bool = False
) -> Listing:
    """List the photos or clips anywhere below some folders, or in tables with a column `path`.

    The listing's root is the common parent folder; it has no classes, and every label is
    `UNLABELLED`. A file reached in several ways is listed once.

    Args:
        places: folders, tables or single files.
        media: media of the files; None detects it.
        partial: accept missing files in tables and list those that exist.

    Raises:
        DataError: if there is no file, or a table has problems.
    """
    if not places:
        raise DataError("Expected a folder or a table of unlabelled files, found none: give one.")
    kind = media or find_media(places[0])
    # Not `resolve`, which would replace links by names the user does not know.
    absolute = [Path(os.path.abspath(place)) for place in places]  # noqa: PTH100
    root = Path(
        os.path.commonpath([place if place.is_dir() else place.parent for place in absolute])
    )
    files: dict[str, File] = {}
    skipped: dict[str, int] = {}
    for place in absolute:
        listed, unused = _unlabelled(place, kind, partial=partial)
        base = (place if place.is_dir() else place.parent).relative_to(root).as_posix()
        for path, group in listed:
            name = path if base == "." else f"{base}/{path}"
            whose = name if group == path else group
            files.setdefault(name, File(path=name, label=UNLABELLED, group=whose))
        skipped = {why: skipped.get(why, 0) + unused.get(why, 0) for why in {**skipped, **unused}}
    return Listing(
        root=root,
        files=tuple(files.values()),
        classes=(),
        origin=f"{len(files):,} unlabelled {kind}: no published data set",
        official=False,
        skipped=skipped,
    )


def _unlabelled(
    place: Path, kind: Media, *, partial: bool
) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """Path and group of each file of a folder or table, and counts of unused files."""
    if is_table(place):
        rows, missing = read_file_table(place, labelled=False, partial=partial)
        return [(row.path, row.group) for row in rows], _not_there(place, missing)
    if not place.is_dir():
        return [(place.name, place.name)], {}
    tree = read_tree(place)
    paths = [path for path in tree.files if has_suffix(path, SUFFIXES[kind])]
    unread = [path for path in tree.files if has_suffix(path, UNREADABLE[kind])]
    others = {
        f"files that are not {kind}": len(tree.files) - len(paths) - len(unread),
        f"{kind} in an unsupported format": len(unread),
        **tree.unused(),
    }
    return [(path, path) for path in paths], not_zero(others)


def _from_table(table: Path, kind: Media, split: str, *, partial: bool) -> Listing:
    rows, missing = read_file_table(table, labelled=True, partial=partial)
    _check_kind(rows, kind, table)
    classes = tuple(sorted({row.label for row in rows}))
    places = {name: place for place, name in enumerate(classes)}
    return Listing(
        root=table.parent,
        files=tuple(File(path=row.path, label=places[row.label], group=row.group) for row in rows),
        classes=classes,
        origin=f"{counted(len(rows), f'{SPLITS[split]} {singular(kind)}')} of "
        f"{counted(len(classes), 'class')} in {table.name}: "
        "no published data set",
        official=False,
        skipped=_not_there(table, missing),
    )


def _not_there(table: Path, missing: int) -> dict[str, int]:
    return not_zero({f"named in {table.name} but missing": missing})


def _check_kind(rows: Sequence[Row], kind: Media, table: Path) -> None:
    """Raise DataError for names of the other media; otherwise the content decides."""
    (other,) = (media for media in _KINDS if media != kind)
    wrong = [row for row in rows if has_suffix(row.path, SUFFIXES[other] - SUFFIXES[kind])]
    if wrong:
        raise DataError(
            f"{table}, row {wrong[0].number}: expected only {kind}, found {wrong[0].path}: put "
            f"{other} in a separate data set."
        )


def _suffixes(kind: Media) -> frozenset[str]:
    """Suffixes that identify the media; a GIF can be either and counts as a photo."""
    return SUFFIXES[kind] - (SUFFIXES["photos"] if kind == "clips" else frozenset())


def _table_of(root: Path, side: str) -> Path | None:
    if not root.is_dir():
        return root if side == "train" else None
    tables = [root / f"{side}{suffix}" for suffix in sorted(TABLE_SUFFIXES)]
    there = [table for table in tables if table.is_file()]
    if len(there) > 1:
        names = " and ".join(table.name for table in there)
        raise DataError(f"Expected one {side} table in {root}, found {names}: keep one.")
    return there[0] if there else None


def _common_classes(train: Listing, test: Listing, root: Path, *, partial: bool) -> tuple[str, ...]:
    """The classes of both sides, spelled as in train if it has them."""
    spelled = {fold(name): name for name in (*test.classes, *train.classes)}
    single = {*map(fold, train.classes)} ^ {*map(fold, test.classes)}
    if single and not partial:
        raise DataError(
            f"Expected the same classes in train and test of {root}, found "
            f"{min(spelled[key] for key in single)} in only one: add it to the other, {GO_ON}."
        )
    return tuple(sorted(spelled.values()))


@dataclass(frozen=True)
class OwnReader:
    """Reads a folder with class folders, or a table, as the requested split.

    If the folder contains both splits, only the requested one is read.
    """

    name: str
    media: Media
    embedded: bool = False
    version: int = 1

    def list(self, root: Path, split: str, *, partial: bool = False) -> Listing:
        """List the labelled files in the order of the table or by path.

        Raises:
            DataError: if the files cannot be listed.
        """
        check_split(split)
        if is_table(root):
            return _from_table(root, self.media, split, partial=partial)
        return _FOLDERS[self.media].list(root, split, partial=partial, whole=True)


OWN_PHOTOS = OwnReader(name="photos", media="photos")
OWN_CLIPS = OwnReader(name="clips", media="clips")
PHOTO_TABLE = TableReader(name="photo_table", media="photos")
CLIP_TABLE = TableReader(name="clip_table", media="clips")
