"""Distinguishes folders of splits from folders of classes."""

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
    """The split a folder name means: "train", "test" or "validation"; None if it means no split.

    The name has one such word and otherwise only filler words or digits: `Training`, `seg_train`,
    `test-images`, `valset`, `train2017`.
    """
    words = re.findall(r"[^\W\d_]+", fold(name))
    words = [_GLUED.sub(r"\1", word) for word in words]
    roles = [_WORDS[word] for word in words if word in _WORDS]
    others = [word for word in words if word not in _WORDS and word not in _FILLING]
    return roles[0] if len(roles) == 1 and not others else None


def find_splits(
    root: Path, folders: Iterable[str], files: Iterable[str], *, partial: bool
) -> dict[str, str]:
    """Path prefix of each split, such as "train/"; {"train": ""} if there are no split folders.

    Folders named `train` and `test` are splits. Folders with other names of splits are accepted
    with `partial`, except that a validation folder is left out. Folders with other names that
    share their subfolders look like splits and are rejected.

    Args:
        root: folder of the data set.
        folders: paths of all folders below it, relative to it.
        files: paths of the photos or clips below it.
        partial: accept other names of splits.

    Raises:
        DataError: if folders look like splits but cannot be used, or are one level deeper.
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
    """Raise DataError unless the folders are train and test, or acceptable with `partial`."""
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
        f"Expected only the folders train and test in {root}, or a folder for each class, found "
        f"{found}: {advice}{on}."
    )


def _descend(files: Iterable[str], place: str, role: str) -> str:
    """The innermost folder of a role, as archives may contain `seg_train/seg_train/<Class>`."""
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
    """The subfolders of a folder.

    Attributes:
        subfolders: subfolders with files below them, and the case-folded folders in each.
        loose: subfolders with files directly in them; "" if the folder itself has files.
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
        """Raise DataError if folders share their subfolders, unlike classes."""
        if self.loose - {""}:
            return
        for first, second in combinations(sorted(self.subfolders), 2):
            mine, other = self.subfolders[first], self.subfolders[second]
            common = sorted(mine & other)
            if common and (first in named or second in named or (mine == other and common[1:])):
                raise DataError(
                    f"Expected a folder for each class in {root}, found {first} and {second}, "
                    f"which contain the same folders ({', '.join(common[:3])}), as splits do: "
                    "rename them train and test, or put the files of a class directly into its "
                    "folder."
                )

    def refuse_nested(self, root: Path) -> None:
        """Raise DataError if the splits are inside the only folder."""
        if len(self.subfolders) != 1 or self.loose:
            return
        ((name, inside),) = self.subfolders.items()
        if all(map(role_of, inside)):
            raise DataError(
                f"Expected the folders train and test, or a folder for each class, in {root}, "
                f"found {', '.join(sorted(inside))} in {name}: give {root / name}."
            )
