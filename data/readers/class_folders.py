"""Anybody's own photos and clips: a folder for each class."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data.errors import DataError
from data.frames.decode import CLIP_SUFFIXES
from data.images.decode import PHOTO_SUFFIXES
from data.listing import File, Listing, Media
from data.reader import SPLITS, check_split
from data.readers.file_tree import (
    GO_ON,
    Tree,
    has_suffix,
    not_zero,
    read_tree,
)

SUFFIXES: Mapping[Media, frozenset[str]] = {"photos": PHOTO_SUFFIXES, "clips": CLIP_SUFFIXES}
SPLIT_NAMES = frozenset({*SPLITS, "val", "valid", "validation"})
RECORDING = re.compile(r"_g(\d+)_")


@dataclass(frozen=True)
class FolderReader:
    """Reads `ROOT/<Class>/**`, or `ROOT/train/<Class>/**` and `ROOT/test/<Class>/**`.

    Where the only folders in ROOT are `train/` and `test/`, or one of them, they are the splits;
    else everything is the split "train". Classes are sorted and the same for both splits; a class
    folder without a file of the kind is left out and counted. The group of a clip is the recording
    that it was cut from where its name says so (`_g08_`), else it is a group of its own.
    """

    name: str
    media: Media
    embedded: bool = False
    version: int = 1

    def list(self, root: Path, split: str, *, partial: bool = False) -> Listing:
        """The photos or clips of a split, by path.

        Raises:
            DataError: if the folder or the split is missing, other splits lie beside `train/` and
                `test/`, a recording is on both sides, or, without `partial`, a class is on one
                side alone.
        """
        check_split(split)
        tree = read_tree(root)
        prefixes = _prefixes(tree, root, split)
        sides = {side: self._class_files(tree, prefix) for side, prefix in prefixes.items()}
        if not sides[split]:
            raise DataError(
                f"Expected {self.media} under {root / prefixes[split]}, in folders named as their "
                "classes, found none: check the path and the kind of the files."
            )
        self._check_groups(sides, root)
        if not partial:
            _check_classes(sides, root)
        classes = sorted({name for files in sides.values() for name in files.values()})
        skipped = self._skipped(tree, prefixes[split], sides[split])
        return self._listing(root, split, sides[split], tuple(classes), skipped)

    def _listing(
        self,
        root: Path,
        split: str,
        files: Mapping[str, str],
        classes: tuple[str, ...],
        skipped: Mapping[str, int],
    ) -> Listing:
        return Listing(
            root=root,
            files=tuple(
                File(path=path, label=classes.index(name), group=self._group(path, name))
                for path, name in files.items()
            ),
            classes=classes,
            origin=f"{len(files):,} {SPLITS[split]} {self.media} in folders of {len(classes)} "
            "classes: no published data set",
            official=False,
            skipped=skipped,
        )

    def _class_files(self, tree: Tree, prefix: str) -> dict[str, str]:
        """The class of each file of the kind that lies in a class folder, by path."""
        suffixes = SUFFIXES[self.media]
        paths = (path for path in _below(tree.files, prefix) if has_suffix(path, suffixes))
        parts = ((path, path.removeprefix(prefix).partition("/")) for path in paths)
        return {path: name for path, (name, slash, _) in parts if slash}

    def _group(self, path: str, class_name: str) -> str:
        match = RECORDING.search(PurePosixPath(path).name) if self.media == "clips" else None
        return f"{class_name}_g{match[1]}" if match else path

    def _check_groups(self, sides: Mapping[str, Mapping[str, str]], root: Path) -> None:
        """Frames of one recording are near copies: one on both sides would leak the test."""
        train, test = (
            {self._group(path, name) for path, name in sides.get(side, {}).items()}
            for side in SPLITS
        )
        if train & test:
            raise DataError(
                f"Expected no recording in both train and test of {root}, found "
                f"{min(train & test)} in both: move all its clips to one side."
            )

    def _skipped(self, tree: Tree, prefix: str, files: Mapping[str, str]) -> dict[str, int]:
        below = _below(tree.files, prefix)
        loose = [path for path in below if "/" not in path.removeprefix(prefix)]
        folders = [path.removeprefix(prefix) for path in _below(tree.folders, prefix)]
        empty = {path for path in folders if "/" not in path} - set(files.values())
        return not_zero(
            {
                f"files that are no {self.media}": len(below) - len(loose) - len(files),
                "files outside the class folders": len(loose),
                f"class folders without {self.media}": len(empty),
                "links that lead nowhere": tree.dead,
            }
        )


def _below(paths: Iterable[str], prefix: str) -> list[str]:
    return [path for path in paths if path.startswith(prefix)]


def _prefixes(tree: Tree, root: Path, split: str) -> dict[str, str]:
    """Where each split that there is lies: "train/" and the like, "" for everything."""
    named = {path.lower(): path for path in tree.folders if "/" not in path}
    if named and named.keys() <= SPLITS.keys():
        found = {side: f"{named[side]}/" for side in SPLITS if side in named}
    elif len(SPLIT_NAMES & named.keys()) > 1:
        others = sorted(path for name, path in named.items() if name not in SPLITS)
        raise DataError(
            f"Expected the folders train and test alone in {root}, or classes alone, found also "
            f"{', '.join(others)}: move them elsewhere."
        )
    else:
        found = {"train": ""}
    if split not in found:
        raise DataError(
            f"Expected the folders train and test in {root} for the split '{split}', found no "
            f"{split}: put a folder for each class into both."
        )
    return found


def _check_classes(sides: Mapping[str, Mapping[str, str]], root: Path) -> None:
    """Raise DataError if a class is on one of two sides alone."""
    classes = [frozenset(files.values()) for files in sides.values()]
    single = classes[0] ^ classes[-1]
    if single:
        raise DataError(
            f"Expected the same classes in train and test of {root}, found {min(single)} in one "
            f"alone: add it to the other, {GO_ON}."
        )


PHOTO_FOLDERS = FolderReader(name="photo_folders", media="photos")
CLIP_FOLDERS = FolderReader(name="clip_folders", media="clips")
