"""A small project of somebody's own, drawn: labelled, unlabelled and test photos, two sources.

The target are stills of people at exercises in rooms. One source shows the same exercises in a
studio, the other one sports in the open air. It plays the folders that a user would have, in a
tutorial and in tests. On the same versions of numpy and Pillow and the same kind of machine its
bytes are the same.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from data.embedded.actions import EXERCISES, SPORTS
from data.embedded.people_clips import draw_still
from data.embedded.people_photos import draw_sport_photo, draw_studio_photo, save_photo
from data.errors import DataError

CLASSES, OTHER_CLASSES = tuple(EXERCISES)[:4], tuple(SPORTS)[:4]
LABELLED, UNLABELLED, TEST, SOURCE = 5, 60, 25, 40
"""Photos of a class."""
ORDER_SEED = 7_301
_FIRST, _GROUPS = 10_000, 1_000
"""Every photo is of a room of its own, and no two of these rooms look alike."""

Photo = tuple[str, Image.Image]
"""Path below the folder, and the picture."""


def write_example(folder: Path, *, force: bool = False) -> None:
    """Write the photos: `labelled/`, `unlabelled/`, `test/`, `sources/studio/`, `sources/sports/`.

    They appear all at once, when they are complete.

    Args:
        folder: that is made; it may be there if it is empty.
        force: replace what is in it.

    Raises:
        DataError: if there are files in the folder already, or it cannot be written.
    """
    try:
        if not force and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(
                f"Expected an empty folder for the example, found files in {folder}: name another "
                "one, or replace them with --force."
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            _draw(made)
            made.chmod(0o755)
            if force and folder.exists():
                shutil.rmtree(folder)
            made.replace(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise DataError(
            f"Expected to write the example into {folder}, found: {error.strerror}: name another "
            "folder."
        ) from error


def _draw(root: Path) -> None:
    for path, picture in (*_stills(), *_source_photos()):
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        save_photo(picture, place)


def _stills() -> Iterator[Photo]:
    """The target: labelled and test photos by class; the unlabelled ones in no order at all."""
    total = UNLABELLED * len(CLASSES)
    order = np.random.default_rng(ORDER_SEED).permutation(total)
    for label, name in enumerate(CLASSES):
        first = _FIRST + label * _GROUPS
        for number in range(LABELLED):
            yield f"labelled/{name}/{name}_{number + 1}.jpg", draw_still(label, first + number)
        for number in range(TEST):
            group = first + 100 + number
            yield f"test/{name}/{name}_{number + 1:02}.jpg", draw_still(label, group)
        for number in range(UNLABELLED):
            place = int(order[label * UNLABELLED + number])
            still = draw_still(label, first + 200 + number)
            yield f"unlabelled/photo_{place + 1:03}.jpg", still


def _source_photos() -> Iterator[Photo]:
    for label, name in enumerate(CLASSES):
        for number in range(1, SOURCE + 1):
            path = f"sources/studio/{name}/{name}_{number:02}.jpg"
            yield path, draw_studio_photo(label, number)
    for label, name in enumerate(OTHER_CLASSES):
        for number in range(1, SOURCE + 1):
            path = f"sources/sports/{name}/{name}_{number:02}.jpg"
            yield path, draw_sport_photo(label, number)
