"""Folders that are splits, told from those that are classes."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from types import MappingProxyType

from data.errors import DataError
from data.names import fold
from data.reader import SPLITS
from data.readers.file_tree import GO_ON

_WORDS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("train", "training", "trn"), "train"),
        **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation"), "test"),
        **dict.fromkeys(
            ("val", "valid", "validation", "dev", "devel", "development"), "validation"
        ),
    }
)
_FILLING = frozenset(
    {
        *("seg", "set", "split", "data", "dataset", "part", "fold", "new", "final", "raw", "full"),
        *("image", "images", "img", "imgs", "photo", "photos", "clip", "clips", "video", "videos"),
    }
)
_GLUED = re.compile(r"(train|training|test|testing|val|valid|validation|dev)(set|data|split)s?")


def role_of(name: str) -> str | None:
    """The split that a folder's name stands for: "train", "test", "validation"; None: none.

    One word says so, among others that say nothing: `Training`, `seg_train`, `test-images`,
    `valset`, `train2017`.
    """
    words = re.findall(r"[^\W\d_]+", fold(name))
    words = [_GLUED.sub(r"\1", word) for word in words]
    roles = [_WORDS[word] for word in words if word in _WORDS]
    others = [word for word in words if word not in _WORDS and word not in _FILLING]
    return roles[0] if len(roles) == 1 and not others else None


def find_splits(
    root: Path, folders: Iterable[str], files: Iterable[str], *, partial: bool
) -> dict[str, str]:
    """Where each split that there is begins: "train/" and the like; {"train": ""}: everywhere.

    Folders named as splits are taken for them; `train` and `test` at once, other names where
    `partial` says so, a folder for validation is then left out. Folders that share their
    subfolders are splits too, whatever they are called, and refused where they have other names.

    Args:
        root: of the data set.
        folders: all below it, relative to it.
        files: the photos or clips below it.
        partial: go on with what is there.

    Raises:
        DataError: if folders are splits and cannot be taken for them, or lie one level deeper.
    """
    level = _Level.of(files, "")
    top = sorted({path for path in folders if "/" not in path})
    named = {name: role for name in top if (role := role_of(name))}
    if not named or (len(named) == 1 and len(top) > 1):
        level.refuse_shared(root, named)
        level.refuse_nested(root)
        return {"train": ""}
    places = {role: f"{name}/" for name, role in named.items() if role != "validation"}
    _check_splits(root, top, named, places, partial=partial)
    return {side: _descend(files, places[side], side) for side in SPLITS if side in places}


def _check_splits(
    root: Path,
    top: Sequence[str],
    named: Mapping[str, str],
    places: Mapping[str, str],
    *,
    partial: bool,
) -> None:
    """Raise DataError unless the folders are train and test, or may be taken for them."""
    usual = [name for name in top if fold(name) in ("train", "test")]
    others = [name for name in top if name not in usual]
    unknown = [name for name in others if name not in named]
    twice = len(places) < sum(role != "validation" for role in named.values())
    if not others and not twice:
        return
    if not unknown and not twice and places and partial:
        return
    found = f"also {', '.join(unknown or others)}" if usual else ", ".join(top)
    advice = "move them elsewhere" if usual else "rename them train and test"
    on = f", {GO_ON}" if not unknown and not twice and places else ""
    raise DataError(
        f"Expected the folders train and test alone in {root}, or a folder for each class, found "
        f"{found}: {advice}{on}."
    )


def _descend(files: Iterable[str], place: str, role: str) -> str:
    """Archives hold `seg_train/seg_train/<Class>`: the innermost folder of that role."""
    while True:
        inside = _Level.of(files, place)
        if inside.loose or len(inside.subfolders) != 1:
            return place
        (only,) = inside.subfolders
        if role_of(only) != role:
            return place
        place = f"{place}{only}/"


@dataclass(frozen=True)
class _Level:
    """The folders in a folder.

    Attributes:
        subfolders: those with files below them, and the folders in each, folded.
        loose: those with files that lie directly in them; "" if there are files beside them.
    """

    subfolders: Mapping[str, frozenset[str]]
    loose: frozenset[str]

    @classmethod
    def of(cls, files: Iterable[str], place: str) -> "_Level":
        subfolders: dict[str, set[str]] = defaultdict(set)
        loose = set()
        for path in files:
            if not path.startswith(place):
                continue
            name, *rest = path.removeprefix(place).split("/")
            if not rest:
                loose.add("")
            elif len(rest) == 1:
                loose.add(name)
                subfolders[name] |= set()
            else:
                subfolders[name].add(fold(rest[0]))
        return cls(
            {name: frozenset(inside) for name, inside in subfolders.items()}, frozenset(loose)
        )

    def refuse_shared(self, root: Path, named: Mapping[str, str]) -> None:
        """Raise DataError if folders share their subfolders, which classes do not."""
        if self.loose - {""}:
            return
        for first, second in combinations(sorted(self.subfolders), 2):
            mine, other = self.subfolders[first], self.subfolders[second]
            common = sorted(mine & other)
            if common and (first in named or second in named or (mine == other and common[1:])):
                raise DataError(
                    f"Expected a folder for each class in {root}, found {first} and {second}, "
                    f"which hold the same folders ({', '.join(common[:3])}), as splits do: rename "
                    "them train and test, or put the files of a class directly into its folder."
                )

    def refuse_nested(self, root: Path) -> None:
        """Raise DataError if the splits lie in the only folder."""
        if len(self.subfolders) != 1 or self.loose:
            return
        ((name, inside),) = self.subfolders.items()
        if all(map(role_of, inside)):
            raise DataError(
                f"Expected the folders train and test, or a folder for each class, in {root}, "
                f"found {', '.join(sorted(inside))} in {name}: give {root / name}."
            )
