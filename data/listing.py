"""Photos and clips on disk: which files a data set has, and what each of them shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from data.errors import DataError
from data.names import fold
from data.reader import check_split

Media = Literal["photos", "clips"]
UNLABELLED = -1
"""In place of a label, where nobody has said what a file shows."""


@dataclass(frozen=True, kw_only=True)
class File:
    """One photo or video clip.

    Attributes:
        path: relative to the listing's root, with `/`; it names the sample everywhere.
        label: position in the listing's classes; `UNLABELLED` in a listing without classes.
        group: clips of one group were cut from one recording, so that they never lie on both
            sides of a split; the path itself where nothing is known.
    """

    path: str
    label: int
    group: str


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The files of one split of a data set.

    Attributes:
        root: folder that the paths start from.
        files: in a fixed order, each path once.
        classes: the class names, in order; none if no file has a label.
        origin: one sentence: what the files are, how many, official or not.
        official: True only if it is the whole published split.
        skipped: how many files were found, or named by a list, and are not used, by reason.

    Raises:
        DataError: if there is no file, a path stands twice, or a label is not a position in
            `classes`.
    """

    root: Path
    files: tuple[File, ...]
    classes: tuple[str, ...]
    origin: str
    official: bool
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse files that do not belong together."""
        if not self.files:
            raise DataError(f"{self.root}: expected at least one file, found none: check the path.")
        seen: set[str] = set()
        labels = range(len(self.classes)) if self.classes else (UNLABELLED,)
        for file in self.files:
            if file.path in seen:
                raise DataError(
                    f"{self.root}: expected every file once, found {file.path} twice: name it once."
                )
            if file.label not in labels:
                raise DataError(
                    f"{self.root}: expected labels in {labels[0]}..{labels[-1]}, found "
                    f"{file.label} of {file.path}: check the reader."
                )
            seen.add(file.path)

    def class_of(self, file: File) -> str | None:
        """What one of the files shows; None if nobody has said so."""
        return self.classes[file.label] if self.classes else None

    def with_classes(self, classes: Sequence[str]) -> "Listing":
        """The same files among other classes, as of another split; the names tell which is which.

        Raises:
            DataError: if a class is none of them.
        """
        places = {fold(name): place for place, name in enumerate(classes)}
        lost = [name for name in self.classes if fold(name) not in places]
        if lost:
            raise DataError(
                f"{self.root}: expected the classes {', '.join(classes)}, found also "
                f"{', '.join(lost)}: remove their files, or add the class to the others."
            )
        files = tuple(
            replace(file, label=places[fold(self.classes[file.label])]) for file in self.files
        )
        return replace(self, files=files, classes=tuple(classes))


class FileReader(Protocol):
    """A data set of photos or clips that can be listed by name.

    Attributes:
        name: the name in the catalog.
        media: what its files are.
        embedded: True if it draws its files itself (it then has `make`).
        version: raised by one whenever the listing or the drawn files change.
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
        """The files of split "train" or "test".

        Args:
            root: folder of the data set, or the one that it lies in.
            split: "train" or "test".
            partial: go on with what is there where files are missing.

        Raises:
            DataError: if a list or a file is missing or damaged.
        """


class DrawnReader(FileReader, Protocol):
    """A file reader that needs no data: it draws its files."""

    @property
    def classes(self) -> tuple[str, ...]: ...  # noqa: D102 - known before anything is drawn

    def make(self, folder: Path, split: str) -> None:
        """Write the files of one split; the same bytes every time."""


def check_groups(train: Listing, test: Listing) -> None:
    """Raise DataError if clips of one recording, which are near copies, are on both sides."""
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
    """Raise DataError unless `split` is "train", the only one that a source has."""
    check_split(split)
    if split != "train":
        raise DataError(
            f"Expected split train, the only one of {what}, found '{split}': "
            f"use {what} as a source, not as the target."
        )
