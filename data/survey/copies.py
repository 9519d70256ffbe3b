"""Files that are there twice: the same bytes, or pictures that look the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data.digest_cache import KnownDigests
from data.listing import Listing
from data.near_duplicates import NEAR, Hashes, correlation, near_pairs, perceptual_hashes
from data.survey.summary import spread

ALIKE = 0.98
"""Correlation of the grey values of copies, at least."""
COMPARED = 1_000
"""Pairs with near hashes that are looked at, the nearest first."""


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Pairs of files that are the same, or look it.

    Attributes:
        count: of the files, among the first ones, that have a copy.
        first: one of them.
        second: its copy.
    """

    count: int
    first: Path
    second: Path


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The bytes of a listing's files, or of those of some classes.

    Attributes:
        root: folder that the paths start from.
        paths: of the files.
        labels: of each.
        digests: SHA-256 of each.
    """

    root: Path
    paths: tuple[str, ...]
    labels: tuple[int, ...]
    digests: tuple[str, ...]


def contents(listing: Listing, known: KnownDigests) -> Contents:
    """Take the digests of all files, with as many threads as cores.

    Raises:
        DataError: if a file cannot be read.
        OSError: if there is none.
    """
    return Contents(
        root=listing.root,
        paths=tuple(listing.paths),
        labels=tuple(file.label for file in listing.files),
        digests=tuple(known.take(listing.root, listing.paths)),
    )


def in_two_classes(files: Contents) -> Copies | None:
    """Files whose bytes are in two classes."""
    seen: dict[str, tuple[int, str]] = {}
    found: list[tuple[Path, Path]] = []
    for path, label, digest in zip(files.paths, files.labels, files.digests, strict=True):
        first_label, first = seen.setdefault(digest, (label, path))
        if first_label != label:
            found.append((files.root / first, files.root / path))
    return _copies(found)


def in_both(first: Contents, second: Contents) -> Copies | None:
    """Files of the first whose bytes are in the second too."""
    others = dict(zip(reversed(second.digests), reversed(second.paths), strict=True))
    return _copies(
        [
            (first.root / path, second.root / others[digest])
            for path, digest in zip(first.paths, first.digests, strict=True)
            if digest in others
        ]
    )


def hashed(listing: Listing, most: int) -> Hashes:
    """Perceptual hashes of at most so many files, evenly spaced."""
    return perceptual_hashes(spread(listing, most))


def look_alikes(
    first: Hashes,
    second: Hashes,
    known: KnownDigests,
    apart: Mapping[Path, int] | None = None,
) -> Copies | None:
    """Files of the first that look like one of the second, with other bytes.

    Args:
        first: of some files.
        second: of others, or the same.
        known: digests that were taken before.
        apart: label by path; only pairs whose labels differ count.
    """
    pairs = [(pair.first, pair.second) for pair in near_pairs(first, second, NEAR)]
    others = [
        (one, other)
        for one, other in pairs
        if (apart is None or apart[one] != apart[other])
        and known.sha256(one) != known.sha256(other)
    ]
    return _copies([pair for pair in others[:COMPARED] if correlation(*pair) >= ALIKE])


def _copies(pairs: list[tuple[Path, Path]]) -> Copies | None:
    if not pairs:
        return None
    first, second = pairs[0]
    return Copies(count=len({one for one, _ in pairs}), first=first, second=second)
