"""BU101, web photos of UCF101's actions (Ma et al., 2017), in its common layouts."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data.errors import DataError
from data.listing import File, Listing, Media, check_train
from data.readers.file_tree import (
    GO_ON,
    Tree,
    check_complete,
    has_suffix,
    homes,
    name_key,
    not_zero,
    read_lines,
    read_tree,
)
from data.readers.ucf101 import CLASSES, SPELLINGS
from data.suffixes import PHOTO_SUFFIXES

IMAGES = "images"
# Section 4.1 of the paper.
PAPER_PHOTOS = 23_800
LIST_LINE = re.compile(
    rf"(?P<photo>\S.*?({'|'.join(map(re.escape, sorted(PHOTO_SUFFIXES)))}))\s+(?P<label>\S.*)",
    re.IGNORECASE,
)
FLAT_NAME = re.compile(r"(.+)_\d+")


@dataclass(frozen=True)
class Bu101Reader:
    """Reads BU101 from `ROOT[/BU101]`, with or without an `images/` folder around the photos.

    A photo's class comes from a list beside the photos, a text file with lines `path label`; else
    from its folder; else from its name, `<Class>_<n>.jpg`. Classes have UCF101's spelling and
    order, so that the label spaces are equal. Only the split "train" exists.
    """

    name: str = "bu101"
    media: Media = "photos"
    embedded: bool = False
    version: int = 1

    def list(self, root: Path, split: str, *, partial: bool = False) -> Listing:
        """List the photos in the order of the list, or of their paths.

        Raises:
            DataError: if `split` is not "train", there are two lists, or a line is malformed, names
                an unknown class or repeats a photo; unless `partial`, also if a photo is missing
                or has none of UCF101's classes.
        """
        check_train(split, "BU101")
        base = homes(root, "BU101")[0]
        tree = read_tree(base)
        list_name = _list_name(base, tree)
        if list_name is None:
            labelled, skipped = _by_path(base, tree, partial=partial)
        else:
            labelled, skipped = _by_list(base, tree, list_name, partial=partial)
        present = set(labelled.values())
        classes = tuple(name for name in CLASSES if name in present)
        official = len(labelled) == PAPER_PHOTOS and classes == CLASSES
        return Listing(
            root=base,
            files=tuple(
                File(path=path, label=classes.index(name), group=path)
                for path, name in labelled.items()
            ),
            classes=classes,
            origin=_origin(len(labelled), len(classes), official=official),
            official=official,
            skipped=not_zero(skipped),
        )


def class_of(path: str) -> str | None:
    """Class of a photo by its folder, or by its name if it has none; None if unknown."""
    *folders, name = PurePosixPath(path).parts
    if folders and folders[0].lower() == IMAGES:
        folders = folders[1:]
    if folders:
        return SPELLINGS.get(name_key(folders[0]))
    match = FLAT_NAME.fullmatch(PurePosixPath(name).stem)
    return SPELLINGS.get(name_key(match[1])) if match else None


def _photos(tree: Tree) -> list[str]:
    return [path for path in tree.files if has_suffix(path, PHOTO_SUFFIXES)]


def _by_path(base: Path, tree: Tree, *, partial: bool) -> tuple[dict[str, str], dict[str, int]]:
    """Class of each photo by its path, and counts of unused files."""
    photos = _photos(tree)
    classes = ((path, class_of(path)) for path in photos)
    labelled = {path: name for path, name in classes if name is not None}
    unknown = [path for path in photos if path not in labelled]
    if unknown and not partial:
        raise DataError(
            f"Expected the {len(photos):,} photos under {base} in folders named after UCF101's "
            f"classes, or named <Class>_<n>, found {len(labelled):,}, the first misplaced "
            f"one is {unknown[0]}: rename them, {GO_ON}."
        )
    skipped = {
        "photos of none of UCF101's classes": len(unknown),
        "files that are not photos": len(tree.files) - len(photos),
        **tree.unused(),
    }
    return labelled, skipped


def _list_name(base: Path, tree: Tree) -> str | None:
    """The text file beside the photos that lists them, if there is one."""
    texts = [path for path in tree.files if "/" not in path and has_suffix(path, {".txt"})]
    lists = [path for path in texts if _is_list(base / path)]
    if len(lists) > 1:
        raise DataError(
            f"Expected one list of photos in {base}, found {' and '.join(lists)}: "
            "keep the one of the training photos."
        )
    return lists[0] if lists else None


def _is_list(path: Path) -> bool:
    """Whether any line names a photo and its class, unlike the lines of a README."""
    lines = read_lines(path, errors="replace")
    matches = (LIST_LINE.fullmatch(line) for _, line in lines)
    return any(match and _is_label(match["label"]) for match in matches)


def _is_label(text: str) -> bool:
    return text.isdecimal() or name_key(text) in SPELLINGS


def _by_list(
    base: Path, tree: Tree, list_name: str, *, partial: bool
) -> tuple[dict[str, str], dict[str, int]]:
    """Class of each photo by the list, and counts of unused files."""
    labelled: dict[str, str] = {}
    missing: list[str] = []
    numbered: dict[str, str] = {}
    for line_number, line in read_lines(base / list_name):
        where = f"{base / list_name}, line {line_number}"
        named, class_name = _parse(line, where, numbered)
        path = tree.find(named) or tree.find(f"{IMAGES}/{named}")
        if path is None:
            missing.append(named)
        elif path in labelled:
            raise DataError(
                f"{where}: expected every photo once, found {named} again: remove the line."
            )
        else:
            labelled[path] = class_name
    if not partial:
        check_complete(len(labelled) + len(missing), missing, "photos", list_name, base)
    skipped = {
        f"named in {list_name} but missing": len(missing),
        f"photos not named in {list_name}": len(set(_photos(tree)) - labelled.keys()),
        **tree.unused(),
    }
    return labelled, skipped


def _parse(line: str, where: str, numbered: dict[str, str]) -> tuple[str, str]:
    """The photo and class of a line; `numbered` collects the class of each number."""
    match = LIST_LINE.fullmatch(line)
    if match is None or not _is_label(match["label"]):
        raise DataError(
            f"{where}: expected '<photo> <one of UCF101's classes>', found '{line}': correct it."
        )
    photo, label = str(PurePosixPath(match["photo"])), match["label"]
    # Lists number the classes from 0 or 1 and in two orders, so a number alone is ambiguous.
    by_path = class_of(photo)
    class_name = SPELLINGS.get(name_key(label)) or numbered.get(label) or by_path
    if class_name is None:
        raise DataError(
            f"{where}: expected a class name, or a number with the class folder in the path, found "
            f"'{line}': write the name."
        )
    if by_path not in (None, class_name):
        raise DataError(
            f"{where}: expected a photo of {class_name}, as '{label}' means here or above, found "
            f"one of {by_path}: correct the label."
        )
    if label.isdecimal():
        numbered[label] = class_name
    return photo, class_name


def _origin(count: int, classes: int, *, official: bool) -> str:
    if official:
        return f"BU101 with {count:,} training photos, the paper's count"
    return (
        f"BU101 with {count:,} training photos in {classes} of {len(CLASSES)} classes, where the "
        f"paper counts {PAPER_PHOTOS:,}: not the paper's set"
    )
