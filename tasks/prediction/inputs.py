"""The files to label: finding them, and decoding their pixels ahead of the network."""

import io
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from data.errors import DataError
from data.frames.chunks import encode_jpeg
from data.frames.decode import clip_frames
from data.frames.sampling import USUAL_FRAMES, Sampling
from data.images.decode import decode_photo
from data.listing import Media
from data.readers.own_files import find_media, list_unlabelled
from tasks.models.description import ImageDescription
from tasks.models.pixels import as_read

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Item:
    """A file to label.

    Attributes:
        path: path as given by the user; identifies the file in the table.
        media: how to read it.
    """

    path: str
    media: Media


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A file's pixels, or the reason why there are none.

    Attributes:
        item: the file.
        frames: uint8 [F, side, side, channels], F = 1 for a photo; None if it cannot be read.
        reason: why it cannot be read; empty if it can.
    """

    item: Item
    frames: Pixels | None
    reason: str = ""


def list_items(places: Sequence[str], usual: Media) -> tuple[list[Item], dict[str, int]]:
    """List every file given directly, below a folder, or in a table, once.

    Photos and clips are told apart by file name, separately for each place.

    Args:
        places: files, folders and tables.
        usual: media to use for a folder with both, and for a file whose name shows neither.

    Returns:
        The files, and the number of other files by kind.

    Raises:
        DataError: if a place does not exist or has no files.
    """
    items: dict[str, Item] = {}
    others: dict[str, int] = {}
    for text in places:
        place = Path(text)
        if not place.exists():
            raise DataError(f"Expected a file or a folder, found none at {place}: check the path.")
        media = find_media(place, usual)
        listing = list_unlabelled([place], media=media)
        root = place if place.is_dir() else place.parent
        for file in listing.files:
            path = os.path.normpath(root / file.path)
            items.setdefault(os.path.abspath(path), Item(path=path, media=media))  # noqa: PTH100
        for why, count in listing.skipped.items():
            others[why] = others.get(why, 0) + count
    return list(items.values()), others


def decoded(
    items: Sequence[Item], images: ImageDescription, pool: ThreadPoolExecutor, ahead: int
) -> Iterator[Decoded]:
    """Yield the files in order, decoded by threads at most `ahead` files ahead."""
    waiting: deque[Future[Decoded]] = deque()
    for item in items:
        waiting.append(pool.submit(decode_item, item, images))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def decode_item(item: Item, images: ImageDescription) -> Decoded:
    """Decode one file."""
    read = _clip if item.media == "clips" else _photo
    try:
        return Decoded(item=item, frames=read(Path(item.path), images))
    except DataError as error:
        return Decoded(item=item, frames=None, reason=_reason(str(error)))


def _photo(path: Path, images: ImageDescription) -> Pixels:
    return as_read(decode_photo(path, images.side), images)[np.newaxis]


def _clip(path: Path, images: ImageDescription) -> Pixels:
    sampling = (
        Sampling(every=images.every)
        if images.every is not None
        else Sampling(frames=images.frames or USUAL_FRAMES)
    )
    return np.stack(
        [
            as_read(_stored(encode_jpeg(frame.pixels, path), images.side), images)
            for frame in clip_frames(path, sampling)
        ]
    )


def _stored(jpeg: bytes, side: int) -> Image.Image:
    """A frame decoded from JPEG, as in the store that training reads."""
    picture = Image.open(io.BytesIO(jpeg))
    picture.draft("RGB", (side, side))
    return picture


def _reason(text: str) -> str:
    return " ".join(text.split())
