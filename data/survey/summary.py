"""One folder or table of files in figures: how many of each class, how large, in which formats."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from data.listing import Listing, Media
from data.survey.headers import Header, read_headers, undecodable

Size = tuple[int, int]
"""Width and height, pixels."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The smallest, the median and the largest of some pictures, by their shorter side."""

    smallest: Size
    median: Size
    largest: Size


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a listing holds.

    Attributes:
        media: what its files are.
        files: how many.
        counts: files by class, in the listing's order; empty without labels.
        looked_at: headers that were read; fewer than `files` of very many.
        sizes: of these; None if none can be read.
        formats: files by format, of these, the most frequent first.
        broken: those that cannot be read.
        skipped: files that are there and not used, by reason.
        small: the files with the shortest sides first.
    """

    media: Media
    files: int
    counts: Mapping[str, int]
    looked_at: int
    sizes: Sizes | None
    formats: Mapping[str, int]
    broken: tuple[Header, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)
    small: tuple[Header, ...] = ()


def spread(listing: Listing, most: int) -> Listing:
    """At most so many files of a listing, evenly spaced, the first among them."""
    count = len(listing.files)
    if count <= most:
        return listing
    places = [place * count // most for place in range(most)]
    return replace(listing, files=tuple(listing.files[place] for place in places))


def summarise(listing: Listing, media: Media, *, headers: int, decoded: int = 0) -> Summary:
    """Look at a listing.

    Args:
        listing: of photos or clips.
        media: which of them.
        headers: files whose first bytes are read, at most.
        decoded: files that are decoded too, at most.
    """
    some = [listing.root / file.path for file in spread(listing, headers).files]
    read = read_headers(some, media)
    whole = sorted((header for header in read if not header.problem), key=_by_size)
    broken = {header.path: header for header in read if header.problem}
    tried = [listing.root / file.path for file in spread(listing, decoded).files] if decoded else []
    for header in undecodable([path for path in tried if path not in broken], media):
        broken[header.path] = header
    return Summary(
        media=media,
        files=len(listing.files),
        counts=class_counts(listing),
        looked_at=len(read),
        sizes=_sizes(whole),
        formats=dict(Counter(header.format for header in whole).most_common()),
        broken=tuple(broken.values()),
        skipped=listing.skipped,
        small=tuple(whole),
    )


def class_counts(listing: Listing) -> dict[str, int]:
    """Files by class, in the listing's order; empty without labels."""
    labels = np.array([file.label for file in listing.files])
    return {name: int((labels == place).sum()) for place, name in enumerate(listing.classes)}


def _by_size(header: Header) -> tuple[int, int]:
    return header.side, max(header.width, header.height)


def _sizes(ordered: Sequence[Header]) -> Sizes | None:
    if not ordered:
        return None
    first, middle, last = ordered[0], ordered[len(ordered) // 2], ordered[-1]
    return Sizes(
        smallest=(first.width, first.height),
        median=(middle.width, middle.height),
        largest=(last.width, last.height),
    )
