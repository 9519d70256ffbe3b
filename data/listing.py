"""Listings of photos and clips on disk: the files of a data set and their classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from data.errors import DataError
from data.names import fold
from data.reader import check_split

Media = Literal["photos", "clips"]
UNLABELLED = -1
"""Label of a file whose class is unknown."""
NO_FILES = "class folders without "
"""Beginning of the reason, before the medium, for which empty class folders are skipped."""


@dataclass(frozen=True, kw_only=True)
class File:
    """One photo or video clip.

    Attributes:
        path: path relative to the listing's root, with `/`; identifies the sample everywhere.
        label: index into the listing's classes; `UNLABELLED` if unknown.
        group: name of the group. Clips of one group were cut from one recording and are never on
            both sides of a split; the path itself if unknown.
    """

    path: str
    label: int
    group: str


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The files of one split of a data set.

    Attributes:
        root: folder that the paths are relative to.
        files: files in a fixed order, with distinct paths.
        classes: class names, in order; empty if the files are unlabelled.
        origin: one sentence on what the files are, how many, and whether they are official.
        official: True only for the complete published split.
        skipped: number of files that were found, or named by a list, but not used, by reason.
        partly: True if only some of the files have a label.

    Raises:
        DataError: if there is no file, a path occurs twice, or a label is not an index into
            `classes`.
    """

    root: Path
    files: tuple[File, ...]
    classes: tuple[str, ...]
    origin: str
    official: bool
    skipped: Mapping[str, int] = field(default_factory=dict)
    partly: bool = False

    def __post_init__(self) -> None:
        """Check the files and labels."""
        if not self.files:
            raise DataError(f"{self.root}: expected at least one file, found none: check the path.")
        seen: set[str] = set()
        labels = range(len(self.classes)) if self.classes else (UNLABELLED,)
        known = {*labels, *([UNLABELLED] if self.partly else [])}
        for file in self.files:
            if file.path in seen:
                raise DataError(
                    f"{self.root}: expected every file once, found {file.path} twice: list it once."
                )
            if file.label not in known:
                raise DataError(
                    f"{self.root}: expected labels in {labels[0]}..{labels[-1]}, found "
                    f"{file.label} for {file.path}: check the reader."
                )
            seen.add(file.path)

    @property
    def paths(self) -> list[str]:
        """Paths of the files, in order."""
        return [file.path for file in self.files]

    def class_of(self, file: File) -> str | None:
        """Class of one of the files; None if unknown."""
        return None if file.label == UNLABELLED else self.classes[file.label]

    def with_classes(self, classes: Sequence[str]) -> "Listing":
        """The listing with another order or set of classes, such as another split's, by name.

        Raises:
            DataError: if a class of this listing is missing.
        """
        places = {fold(name): place for place, name in enumerate(classes)}
        lost = [name for name in self.classes if fold(name) not in places]
        if lost:
            raise DataError(
                f"{self.root}: expected only the classes {', '.join(classes)}, found also "
                f"{', '.join(lost)}: remove their files, or add the class to the others."
            )
        files = tuple(
            replace(file, label=places[fold(self.classes[file.label])]) for file in self.files
        )
        return replace(self, files=files, classes=tuple(classes))


class FileReader(Protocol):
    """A data set of photos or clips that can be listed by name.

    Attributes:
        name: name in the catalog.
        media: kind of the files.
        embedded: True if the reader draws its files itself (it then has `make`).
        version: incremented whenever the listing or the drawn files change.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - the class docstring says it
    @property
    def media(self) -> Media: ...  # noqa: D102
    @property
    def embedded(self) -> bool: ...  # noqa: D102
    @property
    def version(self) -> int: ...  # noqa: D102

    def list(self, root: Path, split: str, *, partial: bool = False) -> Listing:
        """List the files of a split.

        Args:
            root: folder of the data set, or its parent.
            split: "train" or "test".
            partial: accept missing files and list those that exist.

        Raises:
            DataError: if a list or a file is missing or damaged.
        """


class DrawnReader(FileReader, Protocol):
    """A file reader that needs no data: it draws its files."""

    @property
    def classes(self) -> tuple[str, ...]: ...  # noqa: D102 - known before anything is drawn

    def make(self, folder: Path, split: str) -> None:
        """Write the files of one split, deterministically."""


def check_groups(train: Listing, test: Listing) -> None:
    """Raise DataError if clips of one recording, near copies, are on both sides."""
    both = {file.group for file in train.files} & {file.group for file in test.files}
    alone = {file.path for file in train.files if file.path == file.group}
    if train.root != test.root:
        both -= alone
    if both:
        raise DataError(
            f"Expected no recording in both train and test of {test.root}, found {min(both)} in "
            "both: move all its clips to one side."
        )


def check_train(split: str, what: str) -> None:
    """Raise DataError unless `split` is "train", the only split of a source."""
    check_split(split)
    if split != "train":
        raise DataError(
            f"Expected split train, the only one of {what}, found '{split}': "
            f"use {what} as a source, not as the target."
        )
