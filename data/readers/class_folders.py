"""Your own photos and clips, with a folder for each class."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data.counting import counted, singular
from data.errors import DataError
from data.listing import NO_FILES, File, Listing, Media
from data.names import both, fold, normal
from data.reader import SPLITS, check_split
from data.readers.file_tree import GO_ON, Tree, has_suffix, not_zero, read_tree
from data.readers.split_folders import find_splits
from data.suffixes import CLIP_SUFFIXES, PHOTO_SUFFIXES, UNREADABLE_SUFFIXES

SUFFIXES: Mapping[Media, frozenset[str]] = {"photos": PHOTO_SUFFIXES, "clips": CLIP_SUFFIXES}
UNREADABLE: Mapping[Media, frozenset[str]] = {"photos": UNREADABLE_SUFFIXES, "clips": frozenset()}
RECORDING = re.compile(r"_g(\d+)_")


@dataclass(frozen=True)
class FolderReader:
    """Reads `ROOT/<Class>/**`, or `ROOT/train/<Class>/**` and `ROOT/test/<Class>/**`.

    `find_splits` recognises the folders of splits; without any, everything is the split "train".
    Classes are sorted and the same for both splits; names that differ only in case or Unicode
    form are the same class. A class folder without files of the right kind is skipped and
    counted. A clip's group is its recording if the name gives it (`_g08_`), else the clip itself.
    """

    name: str
    media: Media
    embedded: bool = False
    version: int = 1

    def list(
        self, root: Path, split: str, *, partial: bool = False, whole: bool = False
    ) -> Listing:
        """List the photos or clips of a split by path.

        Args:
            root: folder of the data set.
            split: "train" or "test".
            partial: accept other names of splits, and classes on one side only.
            whole: treat a folder without split folders as the requested split.

        Raises:
            DataError: if the folder or the split is missing, split folders have other names, two
                class folders have the same name, or a recording is on both sides; unless
                `partial`, also if a class is on one side only.
        """
        check_split(split)
        tree = read_tree(root)
        files = [path for path in tree.files if has_suffix(path, SUFFIXES[self.media])]
        prefixes = find_splits(root, tree.folders, files, partial=partial)
        if whole and list(prefixes.values()) == [""]:
            prefixes = {split: ""}
        if split not in prefixes:
            raise DataError(
                f"Expected the folders train and test in {root} for the split '{split}', found no "
                f"{split}: put a folder for each class into both."
            )
        sides = {side: _class_files(files, prefix) for side, prefix in prefixes.items()}
        if not sides[split]:
            raise DataError(
                f"Expected {self.media} under {root / prefixes[split]}, in folders named after "
                f"their classes, found none{self._unread(tree)}: check the path and the file "
                "formats."
            )
        spelled = _spelling(sides, root)
        sides = {
            side: {path: spelled[fold(name)] for path, name in labelled.items()}
            for side, labelled in sides.items()
        }
        self._check_groups(sides, root)
        if not partial:
            _check_classes(sides, root)
        classes = sorted({name for labelled in sides.values() for name in labelled.values()})
        skipped = self._skipped(tree, prefixes, split, sides[split])
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
            origin=(
                f"{counted(len(files), f'{SPLITS[split]} {singular(self.media)}')} in folders of "
                f"{counted(len(classes), 'class')}: no published data set"
            ),
            official=False,
            skipped=skipped,
        )

    def _group(self, path: str, class_name: str) -> str:
        match = RECORDING.search(PurePosixPath(path).name) if self.media == "clips" else None
        return f"{class_name}_g{match[1]}" if match else path

    def _check_groups(self, sides: Mapping[str, Mapping[str, str]], root: Path) -> None:
        """Reject a recording on both sides, whose near-identical frames would leak the test."""
        train, test = (
            {self._group(path, name) for path, name in sides.get(side, {}).items()}
            for side in SPLITS
        )
        if train & test:
            raise DataError(
                f"Expected no recording in both train and test of {root}, found "
                f"{min(train & test)} in both: move all its clips to one side."
            )

    def _skipped(
        self, tree: Tree, prefixes: Mapping[str, str], split: str, labelled: Mapping[str, str]
    ) -> dict[str, int]:
        prefix = prefixes[split]
        below = _below(tree.files, prefix)
        unread = [path for path in below if has_suffix(path, UNREADABLE[self.media])]
        loose = [path for path in below if "/" not in path.removeprefix(prefix)]
        others = set(below) - set(unread) - set(loose) - labelled.keys()
        folders = [path.removeprefix(prefix) for path in _below(tree.folders, prefix)]
        used = {path.removeprefix(prefix).partition("/")[0] for path in labelled}
        beside = [path for path in tree.files if not path.startswith(tuple(prefixes.values()))]
        return not_zero(
            {
                f"files that are not {self.media}": len(others),
                f"{self.media} in an unsupported format": len(set(unread) - set(loose)),
                "files outside the class folders": len(loose),
                "files outside the folders of the splits": len(beside),
                f"{NO_FILES}{self.media}": len(
                    {path for path in folders if "/" not in path} - used
                ),
                **tree.unused(prefix),
            }
        )

    def _unread(self, tree: Tree) -> str:
        """Clause on the files in unsupported formats, empty if there are none."""
        unread = [path for path in tree.files if has_suffix(path, UNREADABLE[self.media])]
        kinds = sorted({PurePosixPath(path).suffix.lower() for path in unread})
        return f" but {len(unread):,} in unsupported formats ({', '.join(kinds)})" * bool(kinds)


def _below(paths: Iterable[str], prefix: str) -> list[str]:
    return [path for path in paths if path.startswith(prefix)]


def _class_files(files: Iterable[str], prefix: str) -> dict[str, str]:
    """The class folder of each file in one, by path."""
    parts = ((path, path.removeprefix(prefix).partition("/")) for path in _below(files, prefix))
    return {path: name for path, (name, slash, _) in parts if slash}


def _spelling(sides: Mapping[str, Mapping[str, str]], root: Path) -> dict[str, str]:
    """One spelling of each class by its folded name, from the first side that has it."""
    spelled: dict[str, str] = {}
    for side, labelled in sides.items():
        here: dict[str, str] = {}
        for name in labelled.values():
            other = here.setdefault(fold(name), name)
            if other != name:
                raise DataError(
                    f"Expected class folders whose names differ in more than case or Unicode form "
                    f"in {side} of {root}, found {both(other, name)}: merge them, or rename one."
                )
        spelled = {key: normal(name) for key, name in here.items()} | spelled
    return spelled


def _check_classes(sides: Mapping[str, Mapping[str, str]], root: Path) -> None:
    """Raise DataError if a class is on only one of two sides."""
    classes = [frozenset(labelled.values()) for labelled in sides.values()]
    single = classes[0] ^ classes[-1]
    if single:
        raise DataError(
            f"Expected the same classes in train and test of {root}, found {min(single)} in only "
            f"one: add it to the other, {GO_ON}."
        )


PHOTO_FOLDERS = FolderReader(name="photo_folders", media="photos")
CLIP_FOLDERS = FolderReader(name="clip_folders", media="clips")
