"""Thumbnails of the review page: made on first use, and kept in the home folder."""

from functools import cached_property
from pathlib import Path
from typing import Any

from data.atomic import replacing
from data.errors import DataError
from data.images.thumbnail import photo_thumbnail, stored_thumbnail
from flows.review.gallery import Gallery

FOLDER = "thumbnails"
SIDES = {"small": 160, "large": 640}


class Thumbnails:
    """Images of a gallery as WebP.

    Args:
        gallery: the images.
        folder: folder to keep them in, one per prepared set of images.
    """

    def __init__(self, gallery: Gallery, folder: Path) -> None:
        self._gallery, self._folder = gallery, folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, image: int, size: str) -> bytes:
        """An image of the gallery, `small` or `large`.

        Raises:
            KeyError: if there is no such size.
            DataError: if the photo can no longer be read.
            OSError: if the disk is full.
        """
        side = SIDES[size]
        kept = self._folder / f"{self._gallery.rows[image]}-{side}.webp"
        if kept.exists():
            return kept.read_bytes()
        content = self._made(image, side)
        with replacing(kept, durable=False) as temporary:
            temporary.write_bytes(content)
        return content

    def _made(self, image: int, side: int) -> bytes:
        path = self._gallery.files[image]
        if path is not None:
            return photo_thumbnail(path, side)
        if self._stored.dtype.name != "uint8":
            raise DataError("expected stored images of 8 bits, found maps: there is no picture.")
        return stored_thumbnail(self._stored[self._gallery.rows[image]], side)

    @cached_property
    def _stored(self) -> Any:  # noqa: ANN401 - a mapped array
        from data.tables.prepared import stored_images  # noqa: PLC0415 - loads pyarrow

        return stored_images(self._gallery.stored)
