"""The raw files of a split: which they are, their digests, and that they stay as they were."""

from collections.abc import Mapping
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

FILES = "files"
"""Under this name, the digest of all photos or clips together: there are too many to name each."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What is said of a split besides its files."""

    classes: tuple[str, ...]
    origin: str
    official: bool


@dataclass(frozen=True)
class RawFiles:
    """The raw files of a split.

    Attributes:
        digests: SHA-256 by name; of photos and clips one for all.
        classes: that they show, in order.
        shown: of photos and clips the place of each, by its SHA-256 and its class.
    """

    digests: dict[str, str]
    classes: tuple[str, ...]
    shown: Mapping[tuple[str, str], Path] = field(default_factory=dict)


def raw_files(
    reader: str, split: str, root: str | None, *, partial: bool, known: KnownDigests
) -> RawFiles:
    """The raw files of a split, with their digests; embedded data have none.

    Args:
        reader: name of the data set.
        split: "train" or "test".
        root: folder of the real data; None for embedded data.
        partial: go on with what is there where files are missing.
        known: digests that were taken before.

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
        digests = {FILES: listing_digest(listing, known)}
        return RawFiles(digests, listing.classes, shown_by(listing, known))
    except OSError as error:
        raise DataError(
            f"Expected to read {error.filename or root}, found: {error.strerror}: "
            "check the file and its permissions."
        ) from error


def check_unchanged(
    reader: str, split: str, before: Mapping[str, str], now: Mapping[str, str]
) -> None:
    """Raise DataError if raw files are not those that the run began with."""
    if now != before:
        raise DataError(
            f"expected {reader} {split} to stay as it was when the run began, found other files; "
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
) -> Listing:
    """The photos or clips of a split, drawn if they are embedded, unchanged if they are not.

    Args:
        reader: name of the data set.
        split: "train" or "test".
        root: folder of the real data; None for embedded ones.
        raw: digest of the files when the run began.
        partial: go on with what is there where files are missing.
        home: where known digests are kept.
        drawn: folder that embedded files are drawn into, unless they are there already.

    Raises:
        DataError: if a file is missing, or they are not what they were.
    """
    listing = list_files(reader, root, split, partial=partial, drawn=drawn)
    if root is not None:
        check_unchanged(reader, split, raw, {FILES: listing_digest(listing, KnownDigests(home))})
    return listing


def about(listing: Listing) -> About:
    """What is said of a split besides its files."""
    return About(classes=listing.classes, origin=listing.origin, official=listing.official)
