"""One listing of a target's labelled and unlabelled files, so that each is decoded once."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from data.counting import counted, singular
from data.digest_cache import KnownDigests
from data.errors import DataError
from data.listing import File, Listing, Media
from data.readers.own_files import list_unlabelled

TWICE = "unlabelled files that are also labelled"


def with_unlabelled(
    labelled: Listing,
    places: Sequence[Path],
    media: Media,
    known: KnownDigests,
    *,
    partial: bool = False,
) -> Listing:
    """List the labelled files, then the unlabelled ones below some folders or in tables.

    Paths are relative to the common parent folder. An unlabelled file with the same bytes as a
    labelled one, for example in a folder of both, is counted and left out, as its label is known.

    Args:
        labelled: the labelled files.
        places: folders and tables of the unlabelled files.
        media: media of all files.
        known: cache of digests.
        partial: accept missing files in tables and list those that exist.

    Raises:
        DataError: if no unlabelled file is left, or the files cannot be listed.
    """
    others = list_unlabelled(places, media=media, partial=partial)
    root = Path(os.path.commonpath([labelled.root.absolute(), others.root]))
    digests = {*known.take(labelled.root, labelled.paths)}
    taken = zip(others.files, known.take(others.root, others.paths), strict=True)
    left = [file for file, digest in taken if digest not in digests]
    if not left:
        raise DataError(
            f"Expected unlabelled {media} at {', '.join(map(str, places))}, found only labelled "
            "ones: give another folder."
        )
    twice = len(others.files) - len(left)
    skipped = {**labelled.skipped, **({TWICE: twice} if twice else {})}
    for why, count in others.skipped.items():
        skipped[why] = skipped.get(why, 0) + count
    return replace(
        labelled,
        root=root,
        files=(
            *_moved(labelled.files, labelled.root.absolute(), root),
            *_moved(left, others.root, root),
        ),
        origin=f"{len(labelled.files):,} labelled and "
        f"{counted(len(left), f'unlabelled {singular(media)}')} of "
        f"{counted(len(labelled.classes), 'class')}: no published data set",
        skipped=skipped,
        partly=True,
    )


def _moved(files: Iterable[File], before: Path, root: Path) -> Iterator[File]:
    """The files relative to another root; if one is its own group, the group follows the path."""
    folder = before.relative_to(root).as_posix()
    for file in files:
        path = file.path if folder == "." else f"{folder}/{file.path}"
        yield replace(file, path=path, group=path if file.group == file.path else file.group)
