"""The raw files of a split, their digests, and the check that they do not change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from data.catalog import (
    find_file_reader,
    find_reader,
    list_files,
    listing_digest,
    media_of,
    shown_by,
)
from data.digest_cache import KnownDigests
from data.errors import DataError
from data.listing import DrawnReader, Listing
from data.unlabelled_files import with_unlabelled

FILES = "files"
"""Name of the joint digest of all photos or clips, which are too many to list."""


@dataclass(frozen=True, kw_only=True)
class About:
    """Description of a split: its classes and origin."""

    classes: tuple[str, ...]
    origin: str
    official: bool


@dataclass(frozen=True)
class RawFiles:
    """The raw files of a split.

    Attributes:
        digests: SHA-256 by file name; a single one for all photos or clips.
        classes: class names, in order.
        shown: for photos and clips, the path of each file by its SHA-256 and class.
        listing: files of photos or clips that are not embedded.
    """

    digests: dict[str, str]
    classes: tuple[str, ...]
    shown: Mapping[tuple[str, str], Path] = field(default_factory=dict)
    listing: Listing | None = None


def raw_files(
    reader: str,
    split: str,
    root: str | None,
    *,
    partial: bool,
    known: KnownDigests,
    unlabelled: Sequence[Path] = (),
) -> RawFiles:
    """Find and hash the raw files of a split; embedded data have none.

    Args:
        reader: name of the data set.
        split: "train" or "test".
        root: folder of the real data; None for embedded data.
        partial: accept missing files and use those that exist.
        known: cache of digests.
        unlabelled: folders or tables of more files of the split, without labels.

    Raises:
        DataError: if a file is missing or cannot be read.
    """
    folder = Path(root) if root is not None else None
    try:
        if media_of(reader) == "arrays":
            arrays = find_reader(reader)
            paths = arrays.files(folder, split)
            return RawFiles({path.name: known.sha256(path) for path in paths}, arrays.classes)
        files = find_file_reader(reader)
        if files.embedded:
            return RawFiles({}, cast("DrawnReader", files).classes)
        listing = list_files(reader, folder, split, partial=partial)
        if unlabelled:
            listing = with_unlabelled(listing, unlabelled, files.media, known, partial=partial)
        digests = {FILES: listing_digest(listing, known)}
        return RawFiles(digests, listing.classes, shown_by(listing, known), listing)
    except OSError as error:
        raise DataError(
            f"Expected to read {error.filename or root}, found: {error.strerror}: "
            "check the file and its permissions."
        ) from error


def check_unchanged(
    reader: str, split: str, before: Mapping[str, str], now: Mapping[str, str]
) -> None:
    """Raise DataError if the raw files have changed since the run began."""
    if now != before:
        raise DataError(
            f"expected {reader} {split} to stay unchanged during the run, found different files; "
            "leave them alone and start again."
        )


def listed(
    reader: str,
    split: str,
    root: Path | None,
    raw: Mapping[str, str],
    *,
    partial: bool,
    home: Path,
    drawn: Path,
    unlabelled: Sequence[Path] = (),
) -> Listing:
    """List the photos or clips of a split, drawing embedded ones and checking others for changes.

    Args:
        reader: name of the data set.
        split: "train" or "test".
        root: folder of the real data; None for embedded data sets.
        raw: digest of the files when the run began.
        partial: accept missing files and list those that exist.
        home: folder of the digest cache.
        drawn: folder to draw embedded files into, unless they are already there.
        unlabelled: folders or tables of more files of the split, without labels.

    Raises:
        DataError: if a file is missing, or the files have changed.
    """
    listing = list_files(reader, root, split, partial=partial, drawn=drawn)
    known = KnownDigests(home)
    if unlabelled:
        media = find_file_reader(reader).media
        listing = with_unlabelled(listing, unlabelled, media, known, partial=partial)
    if root is not None:
        check_unchanged(reader, split, raw, {FILES: listing_digest(listing, known)})
    return listing


def about(listing: Listing) -> About:
    """Description of a split: its classes and origin."""
    return About(classes=listing.classes, origin=listing.origin, official=listing.official)
