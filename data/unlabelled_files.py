"""Labelled and unlabelled files of a target as one listing, so that each is decoded once."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from data.digest_cache import KnownDigests
from data.errors import DataError
from data.listing import UNLABELLED, File, Listing, Media
from data.readers.own_files import list_unlabelled

TWICE = "unlabelled files that are among the labelled ones too"


def with_unlabelled(
    labelled: Listing,
    places: Sequence[Path],
    media: Media,
    known: KnownDigests,
    *,
    partial: bool = False,
) -> Listing:
    """The labelled files, then the unlabelled ones below some folders or in some tables.

    Paths start at the folder that all of them lie in. An unlabelled file with the bytes of a
    labelled one, as where one folder holds both, is counted and left out: its label is known.

    Args:
        labelled: the files with a label.
        places: of the others.
        media: what all of them are.
        known: digests that were taken before.
        partial: go on with what is there where a table's files are missing.

    Raises:
        DataError: if no file is left without a label, or they cannot be listed.
    """
    others = list_unlabelled(places, media=media, partial=partial)
    root = Path(os.path.commonpath([labelled.root.absolute(), others.root]))
    digests = {known.sha256(labelled.root / file.path) for file in labelled.files}
    left = [file for file in others.files if known.sha256(others.root / file.path) not in digests]
    if not left:
        raise DataError(
            f"Expected unlabelled {media} at {', '.join(map(str, places))}, found none that is not "
            "labelled too: name another folder."
        )
    twice = len(others.files) - len(left)
    skipped = {**labelled.skipped, **({TWICE: twice} if twice else {})}
    for why, count in others.skipped.items():
        skipped[why] = skipped.get(why, 0) + count
    return replace(
        labelled,
        root=root,
        files=(
            *(_moved(file, labelled.root.absolute(), root, file.label) for file in labelled.files),
            *(_moved(file, others.root, root, UNLABELLED) for file in left),
        ),
        origin=f"{len(labelled.files):,} labelled and {len(left):,} unlabelled {media} of "
        f"{len(labelled.classes)} classes: no published data set",
        skipped=skipped,
        partly=True,
    )


def _moved(file: File, before: Path, root: Path, label: int) -> File:
    """The file with its path from another root; a group of its own keeps its path's name."""
    path = (before / file.path).relative_to(root).as_posix()
    return File(path=path, label=label, group=path if file.group == file.path else file.group)
