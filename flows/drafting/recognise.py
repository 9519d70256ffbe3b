"""Recognises labelled, unlabelled, test and source folders by name and structure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.errors import DataError
from data.readers.file_tree import name_key
from data.survey.folders import Candidate, candidate, candidates

LABELLED = {"labelled", "labeled", "labels", "train", "training", "target"}
UNLABELLED = {"unlabelled", "unlabeled", "unlabeleddata", "unlabelleddata", "pool", "inbox", "new"}
TEST = {"test", "testing", "heldout", "holdout", "testset"}
CORRECTIONS = "corrections.csv"
_MOST = 6
"""Number of folders named in a message."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """Folders named by the user.

    Attributes:
        folders: folders to look into.
        target: labelled files of the target.
        unlabelled: other files of the target.
        test: test files of the target.
        sources: labelled files of other domains.
    """

    folders: tuple[Path, ...] = ()
    target: Path | None = None
    unlabelled: tuple[Path, ...] = ()
    test: Path | None = None
    sources: tuple[Path, ...] = ()


@dataclass(kw_only=True)
class Layout:
    """Roles of folders and tables.

    Attributes:
        labelled: labelled files of the target.
        unlabelled: unlabelled files of the target.
        test: test files of the target, or None.
        sources: sources, at least one.
        corrections: existing table of corrections, or None.
        unused: folders without a role.
    """

    labelled: Path
    unlabelled: tuple[Path, ...]
    test: Path | None
    sources: tuple[Path, ...]
    corrections: Path | None = None
    unused: tuple[Path, ...] = ()


@dataclass
class _Left:
    """Candidates without a role so far."""

    all: list[Candidate]
    taken: list[Path] = field(default_factory=list)

    def named(self, names: set[str], *forms: str) -> list[Candidate]:
        """Candidates with one of the names, ignoring a table's extension, and one of the forms."""
        return [
            one for one in self.of(*forms) if name_key(one.place.name.partition(".")[0]) in names
        ]

    def of(self, *forms: str) -> list[Candidate]:
        """Candidates of the given forms."""
        return [one for one in self.all if one.form in forms and one.place not in self.taken]

    def take(self, place: Path) -> Path:
        """Mark a candidate as used."""
        self.taken.append(place)
        return place


def recognise(given: Given) -> Layout:
    """Find the roles of subfolders; those named by the user are taken as given.

    Raises:
        DataError: if a role is missing or ambiguous; names the option to use.
    """
    _check_given(given)
    found = [one for folder in given.folders for one in _in(folder)]
    left = _Left([one for one in found if one.place not in _named(given)])
    unlabelled = given.unlabelled or _unlabelled(left)
    test = given.test or _one(left, left.named(TEST, "classes"), "test")
    labelled = given.target or _labelled(left)
    sources = given.sources or tuple(left.take(one.place) for one in left.of("classes"))
    if not unlabelled:
        unlabelled = tuple(one.place for one in [_only_flat(left)] if one)
    _check_roles(left, unlabelled, sources)
    tables = [folder / CORRECTIONS for folder in (*given.folders, labelled.parent)]
    return Layout(
        labelled=labelled,
        unlabelled=unlabelled,
        test=test,
        sources=sources,
        corrections=next((table for table in tables if table.is_file()), None),
        unused=tuple(one.place for one in left.of("classes", "flat", "nested")),
    )


def _in(folder: Path) -> list[Candidate]:
    """Candidates in a folder; a table, or a folder with a folder per class, is one itself."""
    if not folder.exists():
        raise DataError(f"Expected a folder at {folder}, found nothing: correct the path.")
    inside = [] if folder.is_file() else candidates(folder)
    itself = candidate(folder)
    known = LABELLED | UNLABELLED | TEST
    roles = any(name_key(one.place.name.partition(".")[0]) in known for one in inside)
    return inside if roles or itself.form in ("nested", "empty") else [itself]


def _named(given: Given) -> set[Path]:
    named = [given.target, *given.unlabelled, given.test, *given.sources]
    return {place for place in named if place is not None}


def _check_given(given: Given) -> None:
    for option, places in (
        ("--target", [given.target]),
        ("--unlabelled", given.unlabelled),
        ("--test", [given.test]),
        ("--source", given.sources),
    ):
        for place in places:
            if place is not None and candidate_files(place, option) == 0:
                raise DataError(
                    f"{option}: expected photos or clips at {place}, found none: correct the path."
                )


def candidate_files(place: Path, option: str) -> int:
    """Number of photos and clips at a path.

    Raises:
        DataError: if there is nothing at the path.
    """
    if not place.exists():
        raise DataError(f"{option}: expected a folder or a table at {place}, found nothing there.")
    return candidate(place).files


def _unlabelled(left: _Left) -> tuple[Path, ...]:
    named = left.named(UNLABELLED, "classes", "flat", "nested")
    return tuple(left.take(one.place) for one in named)


def _only_flat(left: _Left) -> Candidate | None:
    """The only folder of files without class folders, if there is exactly one."""
    flat = left.of("flat")
    if len(flat) > 1:
        raise DataError(
            f"Expected one folder of unlabelled files, found {_places(flat)}: say which with "
            "--unlabelled."
        )
    return flat[0] if flat else None


def _labelled(left: _Left) -> Path:
    named = _one(left, left.named(LABELLED, "classes"), "target")
    if named is not None:
        return named
    several = left.of("classes")
    found = f"found {_places(several)}" if several else "found no folder with a folder per class"
    raise DataError(
        f"Expected a folder `labelled` with a folder for each class of the target, {found}: say "
        "which with --target PATH."
    )


def _one(left: _Left, found: Sequence[Candidate], option: str) -> Path | None:
    if len(found) > 1:
        raise DataError(
            f"Expected one folder for --{option}, found {_places(found)}: say which with "
            f"--{option} PATH."
        )
    return left.take(found[0].place) if found else None


def _check_roles(left: _Left, unlabelled: Sequence[Path], sources: Sequence[Path]) -> None:
    others = left.of("classes", "flat", "nested")
    beside = f", found {_places(others)}" if others else ", found none"
    if not unlabelled:
        raise DataError(
            f"Expected a folder `unlabelled` with the target's other files{beside}: name it with "
            "--unlabelled PATH."
        )
    if not sources:
        raise DataError(
            f"Expected a labelled source, a folder with a folder for each class{beside}: name it "
            "with --source PATH; it may have the target's classes, some of them, or others."
        )


def _places(found: Sequence[Candidate]) -> str:
    names = [str(one.place) for one in found[:_MOST]]
    more = len(found) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
