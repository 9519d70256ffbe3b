"""The data sets an experiment can name. To add one, write a reader and add a line here."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import cast

from data.digest_cache import KnownDigests
from data.embedded.people_readers import FIGURE_CLIPS, FIGURE_PHOTOS, SPORT_PHOTOS
from data.embedded.scanned_digits import HandwrittenReader
from data.embedded.street_digits import StreetReader
from data.errors import DataError
from data.fingerprint import digest_json
from data.listing import DrawnReader, FileReader, Listing, Media
from data.reader import RawImages, Reader
from data.readers.bu101 import Bu101Reader
from data.readers.class_folders import CLIP_FOLDERS, PHOTO_FOLDERS
from data.readers.mnist import MnistReader
from data.readers.mpii import MpiiReader
from data.readers.own_files import (
    CLIP_TABLE,
    OWN_CLIPS,
    OWN_PHOTOS,
    PHOTO_TABLE,
    find_media,
    list_labelled,
    list_unlabelled,
)
from data.readers.svhn import SvhnReader
from data.readers.ucf101 import Ucf101Reader

__all__ = [
    "FILE_READERS",
    "OWN_READERS",
    "READERS",
    "RawImages",
    "Reader",
    "find_file_reader",
    "find_media",
    "find_reader",
    "list_files",
    "list_labelled",
    "list_unlabelled",
    "listing_digest",
    "media_of",
    "shown_by",
]

READERS: Mapping[str, Reader] = MappingProxyType(
    {
        "mnist": MnistReader(),
        "svhn": SvhnReader(),
        "handwritten": HandwrittenReader(),
        "street": StreetReader(),
    }
)
"""Data sets read as arrays."""

FILE_READERS: Mapping[str, FileReader] = MappingProxyType(
    {
        reader.name: reader
        for reader in (
            Ucf101Reader(),
            Bu101Reader(),
            MpiiReader(),
            CLIP_FOLDERS,
            PHOTO_FOLDERS,
            CLIP_TABLE,
            PHOTO_TABLE,
            OWN_CLIPS,
            OWN_PHOTOS,
            FIGURE_CLIPS,
            FIGURE_PHOTOS,
            SPORT_PHOTOS,
        )
    }
)
"""Data sets of photos or clips, which are listed first and decoded later."""

OWN_READERS: Mapping[Media, str] = MappingProxyType(
    {reader.media: reader.name for reader in (OWN_PHOTOS, OWN_CLIPS)}
)
"""Readers of the user's own files, in a folder or table anywhere, by media."""

LISTED = ".listed"


def find_reader(name: str) -> Reader:
    """Look up a reader of arrays by name.

    Raises:
        DataError: if there is no such data set.
    """
    if name not in READERS:
        raise DataError(f"Expected a data set, one of {', '.join(READERS)}, found '{name}'.")
    return READERS[name]


def find_file_reader(name: str) -> FileReader:
    """Look up a reader of photos or clips by name.

    Raises:
        DataError: if there is no such data set.
    """
    if name not in FILE_READERS:
        raise DataError(
            f"Expected photos or clips, one of {', '.join(FILE_READERS)}, found '{name}'."
        )
    return FILE_READERS[name]


def media_of(name: str) -> str:
    """Media of a data set: `arrays`, `photos` or `clips`.

    Raises:
        DataError: if there is no such data set.
    """
    return "arrays" if name in READERS else find_file_reader(name).media


def list_files(
    name: str, root: Path | None, split: str, *, partial: bool = False, drawn: Path | None = None
) -> Listing:
    """List the files of a split of photos or clips, drawing embedded ones first.

    Args:
        name: name of the data set.
        root: folder of the real data; None for embedded data sets.
        split: "train" or "test".
        partial: accept missing files and list those that exist.
        drawn: folder to draw embedded files into, unless they are already there.

    Raises:
        DataError: if there is no such data set, or a list or a file is missing or damaged.
    """
    reader = find_file_reader(name)
    if not reader.embedded:
        if root is None:
            raise DataError(
                f"Expected a data folder for '{name}', found none: give the folder that holds it."
            )
        return reader.list(root, split, partial=partial)
    if drawn is None:
        raise DataError(f"Expected a folder to draw '{name}' into, found none: give one.")
    if not (drawn / LISTED).exists():
        shutil.rmtree(drawn, ignore_errors=True)
        cast("DrawnReader", reader).make(drawn, split)
        (drawn / LISTED).touch()
    return reader.list(drawn, split)


def listing_digest(listing: Listing, known: KnownDigests) -> str:
    """SHA-256 of the files' paths, classes, groups and bytes.

    Raises:
        DataError: if a file cannot be read.
    """
    files = [
        [file.path, listing.class_of(file), file.group, digest]
        for file, digest in zip(listing.files, known.take(listing.root, listing.paths), strict=True)
    ]
    return digest_json({"classes": listing.classes, "files": files})


def shown_by(listing: Listing, known: KnownDigests) -> dict[tuple[str, str], Path]:
    """Path of each file, by its SHA-256 and its class ("" if unknown)."""
    return {
        (digest, listing.class_of(file) or ""): listing.root / file.path
        for file, digest in zip(listing.files, known.take(listing.root, listing.paths), strict=True)
    }
