"""Photos of drawn people in two styles: in a bright studio, and playing sports outdoors.

A photo depends only on its class and number: with the same versions of numpy and Pillow on the same
kind of machine, its bytes are the same.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from data.embedded.actions import EXERCISES, SPORTS, Action
from data.embedded.scenes import draw_outdoors, draw_studio, random_colour, random_skin
from data.embedded.skeleton import Look, figure_strokes, paint, random_build

OVER = 3  # supersampling factor: photos are painted larger, then averaged
STUDIO_SEED, OUTDOORS_SEED = 7_201, 7_202
NEAR_PEAK = 0.12  # standard deviation of the phase: photographers wait for the moment
QUALITY = 90


def draw_studio_photo(label: int, number: int) -> Image.Image:
    """Draw a large, thick figure in light clothes with sharp dark edges on a plain bright ground.

    Args:
        label: position in EXERCISES.
        number: number of the photo in its class.

    Returns:
        An RGB image, 96 to 144 pixels wide and 96 to 120 high.
    """
    rng = np.random.default_rng((STUDIO_SEED, label, number))
    picture = draw_studio(_random_size((96, 144), (96, 120), rng), rng)
    look = Look(
        skin=random_skin(rng),
        hair=random_colour(rng, 40, 160),
        shirt=random_colour(rng, 115, 256),
        trousers=random_colour(rng, 115, 256),
        shoes=random_colour(rng, 60, 200),
        sleeves=bool(rng.random() < 0.3),
        long_legs=bool(rng.random() < 0.7),
        thickness=rng.uniform(1.25, 1.6),
    )
    height = min(picture.size) * rng.uniform(0.7, 0.84)
    _put_person(picture, tuple(EXERCISES.values())[label], look, height, rng, edge=0.008)
    return picture.reduce(OVER)


def draw_sport_photo(label: int, number: int) -> Image.Image:
    """Draw a lean figure in a light shirt before sky, bushes and rough ground, in soft focus.

    Args:
        label: position in SPORTS.
        number: number of the photo in its class.

    Returns:
        An RGB image, 104 to 128 pixels wide and 84 to 104 high.
    """
    rng = np.random.default_rng((OUTDOORS_SEED, label, number))
    picture = draw_outdoors(_random_size((104, 128), (84, 104), rng), rng)
    look = Look(
        skin=random_skin(rng),
        hair=random_colour(rng, 10, 60),
        shirt=random_colour(rng, 120, 250),
        trousers=random_colour(rng, 15, 90),
        shoes=random_colour(rng, 200, 256),
        sleeves=bool(rng.random() < 0.6),
        long_legs=bool(rng.random() < 0.4),
        thickness=rng.uniform(0.8, 1),
    )
    height = min(picture.size) * rng.uniform(0.62, 0.78)
    _put_person(picture, tuple(SPORTS.values())[label], look, height, rng)
    return picture.reduce(OVER).filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.8)))


def save_photo(photo: Image.Image, path: Path) -> None:
    """Write a photo as JPEG."""
    photo.save(path, "JPEG", quality=QUALITY)


def _random_size(
    widths: tuple[int, int], heights: tuple[int, int], rng: np.random.Generator
) -> tuple[int, int]:
    """Random width and height to paint at; both ends of the ranges are included."""
    width, height = (int(rng.integers(low, high, endpoint=True)) for low, high in (widths, heights))
    return width * OVER, height * OVER


def _put_person(
    picture: Image.Image,
    action: Action,
    look: Look,
    height: float,
    rng: np.random.Generator,
    *,
    edge: float = 0,
) -> None:
    """Paint a person `height` pixels tall near the middle, near the action's peak."""
    build = random_build(rng, action.random_breadth(rng))
    phases = action.peak + NEAR_PEAK * rng.standard_normal(1)
    (joints,) = action.joints(phases, build, rng.normal(0, 4, size=10))
    x, y = np.array(picture.size) / 2 + OVER * rng.normal(0, 2, size=2)
    paint(
        picture,
        [*action.props(joints), *figure_strokes(joints, build, look)],
        height=height,
        middle=(x, y),
        mirrored=bool(rng.random() < 0.5),
        edge=edge,
    )
