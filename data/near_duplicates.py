"""Near-duplicate photos and clips, found by perceptual hashes."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from data.errors import DataError
from data.frames.sampling import Sampling
from data.images.decode import decode_photo
from data.listing import Listing
from data.suffixes import CLIP_SUFFIXES, PHOTO_SUFFIXES

NEAR = 4
"""Maximum number of the 64 hash bits that differ between near copies.

Of 200 MPII photos, 95 % or more stay within this distance as a JPEG of quality 50, at half the
size or a fifth brighter, and 30 % with 3 % cropped from each side; of 179,700 pairs of different
photos none is within it. Of pairs of MNIST digits, which have little detail, 0.04 % are.
"""
_SIDE = 64
"""Sufficient side of a photo, in pixels, for a hash, which uses 32 x 32."""
_BLOCK = 1_000
_AT_ONCE = 32
"""Files that a thread takes at once: handing over costs as much as hashing a small one."""
_COMPARED = 32
"""Pixels a side of pictures whose grey values are compared."""


@dataclass(frozen=True, kw_only=True)
class Hashes:
    """Perceptual hashes of a listing's files.

    Attributes:
        root: folder that the paths are relative to.
        paths: paths of the decoded files, in the listing's order.
        bits: hashes, uint64 [N]; similar pictures have most bits in common.
        broken: paths of the files that could not be decoded.
    """

    root: Path
    paths: tuple[str, ...]
    bits: npt.NDArray[np.uint64]
    broken: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, order=True)
class Pair:
    """Two near-duplicate files: the number of differing bits, and their paths."""

    distance: int
    first: Path
    second: Path


def perceptual_hashes(listing: Listing) -> Hashes:
    """Hash every photo, or the middle frame of every clip, with one thread per core."""
    paths = listing.paths
    parts = [paths[start : start + _AT_ONCE] for start in range(0, len(paths), _AT_ONCE)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [bits for part in pool.map(partial(_hashes, listing.root), parts) for bits in part]
    whole = [
        (file.path, bits)
        for file, bits in zip(listing.files, found, strict=True)
        if bits is not None
    ]
    return Hashes(
        root=listing.root,
        paths=tuple(path for path, _ in whole),
        bits=np.array([bits for _, bits in whole], np.uint64),
        broken=tuple(
            file.path for file, bits in zip(listing.files, found, strict=True) if bits is None
        ),
    )


def near_duplicates(first: Listing, second: Listing, distance: int = NEAR) -> tuple[Pair, ...]:
    """Find pairs of near-duplicate files, one from each listing, closest first.

    Args:
        first: photos or clips.
        second: other photos or clips; pass the same listing for pairs within it.
        distance: maximum number of differing bits, out of 64.
    """
    hashes = perceptual_hashes(first)
    return near_pairs(hashes, hashes if second is first else perceptual_hashes(second), distance)


def near_pairs(first: Hashes, second: Hashes, distance: int = NEAR) -> tuple[Pair, ...]:
    """Like `near_duplicates`, for existing hashes."""
    pairs = (
        Pair(distance=bits, first=first.root / first.paths[i], second=second.root / second.paths[j])
        for i, j, bits in _near(first.bits, second.bits, distance)
        if second is not first or i < j
    )
    return tuple(sorted(pair for pair in pairs if pair.first != pair.second))


def correlation(first: Path, second: Path) -> float:
    """Correlation of the grey values of two pictures at 32 x 32, which light does not change.

    Of 250 drawn stills and digits 95 % stay above 0.98 as a JPEG of quality 50, at half the size of
    a photo, or with a fifth more light. It tells copies among pictures with few details, whose
    hashes are near without that: of pairs of MNIST digits with near hashes 1 % are above it.

    Returns:
        In [-1, 1]; 0 if one is of one grey alone, or cannot be decoded.
    """
    try:
        values = np.stack([_grey(first), _grey(second)])
    except DataError:
        return 0.0
    if not values.std(axis=1).all():
        return 0.0
    return float(np.atleast_2d(np.corrcoef(values))[0, 1])


def _grey(path: Path) -> npt.NDArray[np.float64]:
    small = _picture(path).convert("L").resize((_COMPARED, _COMPARED))
    return np.asarray(small, np.float64).ravel()


def _near(
    first: npt.NDArray[np.uint64], second: npt.NDArray[np.uint64], most: int
) -> Iterator[tuple[int, int, int]]:
    """Indices of pairs whose hashes differ in at most `most` bits, with the number of bits."""
    for start in range(0, len(first), _BLOCK):
        apart = np.bitwise_count(first[start : start + _BLOCK, np.newaxis] ^ second)
        for row, column in zip(*np.nonzero(apart <= most), strict=True):
            yield start + int(row), int(column), int(apart[row, column])


def _hashes(root: Path, paths: Sequence[str]) -> list[int | None]:
    return [_hash(root, path) for path in paths]


def _hash(root: Path, path: str) -> int | None:
    import imagehash  # noqa: PLC0415 - slow, and only needed here

    try:
        bits = imagehash.phash(_picture(root / path)).hash
    except DataError:
        return None
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _picture(path: Path) -> Image.Image:
    if path.suffix.lower() in CLIP_SUFFIXES - PHOTO_SUFFIXES:
        from data.frames.decode import clip_frames  # noqa: PLC0415 - loads PyAV, for clips only

        return Image.fromarray(next(iter(clip_frames(path, Sampling(frames=1)))).pixels)
    return decode_photo(path, _SIDE)
