"""Rendered street-style digits that stand in for SVHN.

Each image is a digit in one of several fonts, with neighbouring digits at the sides as in SVHN's
crops, on a plate or wall with its own colours, light and blur. All fonts, colours and positions
come from one seeded generator: with the same versions of Pillow, numpy and matplotlib (which
provides the fonts) on the same kind of machine, the bytes are the same.
"""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter, ImageFont

from data.errors import DataError
from data.images.pixels import BLUE, GREEN, IMAGE_SIZE, RED, THOUSAND, luminance
from data.reader import DIGITS, SPLITS, RawImages, check_split, no_download

PER_CLASS = {"train": 600, "test": 100}
SEEDS = {"train": 7_001, "test": 7_002}
FONTS = (
    "DejaVuSans.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSans-Oblique.ttf",
    "DejaVuSansMono.ttf",
    "DejaVuSansMono-Bold.ttf",
    "DejaVuSerif.ttf",
    "DejaVuSerif-Bold.ttf",
    "STIXGeneral.ttf",
    "STIXGeneralBol.ttf",
    "STIXGeneralItalic.ttf",
    "cmr10.ttf",
    "cmss10.ttf",
    "cmb10.ttf",
)
GLYPH_HEIGHT = 40  # pixels; about twice the drawn size, so that shrinking smooths the edges
CANVAS = (160, 64)
CHUNK = 500

NEIGHBOUR_SHARE = 0.65
DARK_ON_LIGHT_SHARE = 0.5
PLATE_EDGE_SHARE = 0.35
SHADOW_SHARE = 0.35

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class StreetReader:
    """Draws 600 (train) or 100 (test) street-style digits per class, as 32x32 luminance.

    The two splits are drawn with different seeds, so no image is in both.
    """

    name: str = "street"
    classes: tuple[str, ...] = DIGITS
    embedded: bool = True
    version: int = 1

    def files(self, root: Path | None, split: str) -> tuple[Path, ...]:  # noqa: ARG002 - Reader
        """No files, since the images are drawn."""
        check_split(split)
        return ()

    def read(self, root: Path | None, split: str) -> RawImages:  # noqa: ARG002 - Reader
        """Draw the images of a split, uint8 [N, 32, 32, 1]; deterministic.

        Raises:
            DataError: if the split is neither "train" nor "test".
        """
        check_split(split)
        rng = np.random.default_rng(SEEDS[split])
        labels = rng.permutation(np.repeat(np.arange(len(DIGITS)), PER_CLASS[split]))
        parts = [
            luminance(draw_street_digits(labels[start : start + CHUNK], rng))
            for start in range(0, len(labels), CHUNK)
        ]
        return RawImages(
            images=np.concatenate(parts)[..., np.newaxis],
            labels=labels.astype(np.int64),
            classes=self.classes,
            origin=f"rendered street-style digits, {len(labels):,} images "
            f"(our {SPLITS[split]} split)",
            official=False,
        )

    def download(self, root: Path) -> None:  # noqa: ARG002 - Reader
        """Raise, since there is nothing to download.

        Raises:
            DataError: always.
        """
        raise no_download(self.name)


def draw_street_digits(
    labels: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Draw one street-style digit for each label.

    Args:
        labels: digits 0..9, int64 [N].
        rng: random generator; advanced.

    Returns:
        RGB images, uint8 [N, 32, 32, 3].
    """
    ink = np.stack([_ink(int(label), rng) for label in labels]).astype(np.float32)
    ink = ink[..., np.newaxis] / np.float32(255)
    ground, paint = _colours(len(labels), rng)
    scene = _walls(ground, rng)
    scene = _with_shadow(scene, ink, rng)
    scene += ink * (paint[:, np.newaxis, np.newaxis] - scene)
    scene += _light(len(labels), rng)
    scene += _noise(scene.shape, rng)
    rounded: Floats = np.rint(scene.clip(0, 255))
    return rounded.astype(np.uint8)


@cache
def _fonts() -> Path:
    """Matplotlib's font folder, found without importing matplotlib, which takes a second."""
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        raise DataError("Expected matplotlib, for its fonts, found none: install it.")
    return Path(found.origin).with_name("mpl-data") / "fonts" / "ttf"


@cache
def _glyph(font: str, digit: int) -> Image.Image:
    """Glyph of a digit in mode "L", cropped to its bounding box."""
    path = _fonts() / font
    # The basic layout engine is built into Pillow; the other one needs system libraries.
    drawn = ImageFont.truetype(path, GLYPH_HEIGHT * 4 // 3, layout_engine=ImageFont.Layout.BASIC)
    mask = drawn.getmask(str(digit), mode="L")
    glyph = Image.frombytes("L", mask.size, bytes(mask))
    glyph = glyph.crop(glyph.getbbox())
    width = max(1, round(glyph.width * GLYPH_HEIGHT / glyph.height))
    return glyph.resize((width, GLYPH_HEIGHT), Image.Resampling.BILINEAR)


def _ink(digit: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Coverage [32, 32] of a digit and its neighbours, rotated, scaled, shifted and blurred."""
    font = FONTS[rng.integers(len(FONTS))]
    strip = Image.new("L", CANVAS)
    glyph = _glyph(font, digit)
    left, top = (CANVAS[0] - glyph.width) // 2, (CANVAS[1] - GLYPH_HEIGHT) // 2
    strip.paste(255, (left, top), glyph)
    gap_left, gap_right = rng.integers(0, 9, size=2)
    if rng.random() < NEIGHBOUR_SHARE:
        near = _glyph(font, int(rng.integers(10)))
        strip.paste(255, (left - int(gap_left) - near.width, top), near)
    if rng.random() < NEIGHBOUR_SHARE:
        near = _glyph(font, int(rng.integers(10)))
        strip.paste(255, (left + glyph.width + int(gap_right), top), near)
    small = strip.transform(
        (IMAGE_SIZE, IMAGE_SIZE),
        Image.Transform.AFFINE,
        _placement(rng),
        resample=Image.Resampling.BILINEAR,
    )
    return np.asarray(small.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 2.1))))


def _placement(rng: np.random.Generator) -> tuple[float, float, float, float, float, float]:
    """Affine coefficients from an output pixel to the canvas, in Pillow's order."""
    height = rng.uniform(17, 27)
    scale_y = GLYPH_HEIGHT / height
    scale_x = scale_y * rng.uniform(0.95, 1.5)  # SVHN's crops squeeze wide boxes into a square
    angle = np.radians(rng.normal(0, 6))
    slant = rng.normal(0, 0.08)
    shift_x, shift_y = rng.uniform(-2, 2, size=2)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    a, b = scale_x * cos, scale_x * (sin + slant)
    d, e = -scale_y * sin, scale_y * cos
    middle_x, middle_y = IMAGE_SIZE / 2 + shift_x, IMAGE_SIZE / 2 + shift_y
    return (
        a,
        b,
        CANVAS[0] / 2 - a * middle_x - b * middle_y,
        d,
        e,
        CANVAS[1] / 2 - d * middle_x - e * middle_y,
    )


def _colours(count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Ground and paint colours [N, 3]: a brightness step in either direction, and tints."""
    step = 30 + 170 * rng.beta(1.2, 2.2, size=count)
    darker = rng.random(count) < DARK_ON_LIGHT_SHARE
    level = rng.uniform(0, 1, size=count) * (240 - step) + 10
    ground = np.where(darker, level + step, level)
    paint = np.where(darker, level, level + step)
    tints = rng.normal(0, 22, size=(2, count, 3))
    # Remove the tints' luminance, so that they do not change the step.
    tints -= (tints @ np.array([RED, GREEN, BLUE]) / THOUSAND)[..., np.newaxis]
    return (
        (ground[:, np.newaxis] + tints[0]).astype(np.float32),
        (paint[:, np.newaxis] + tints[1]).astype(np.float32),
    )


def _walls(ground: Floats, rng: np.random.Generator) -> Floats:
    """The ground [N, 32, 32, 3]; a third of the images show a plate's edge and a wall behind."""
    count = len(ground)
    angle = rng.integers(4, size=count) * (np.pi / 2) + rng.normal(0, 0.1, size=count)
    edged = rng.random(count) < PLATE_EDGE_SHARE
    distance = np.where(edged, rng.uniform(9, 15, size=count), IMAGE_SIZE)
    wall = ground + rng.normal(0, 45, size=(count, 1)).astype(np.float32)
    across = np.arange(IMAGE_SIZE) - (IMAGE_SIZE - 1) / 2
    place = (
        np.cos(angle)[:, np.newaxis, np.newaxis] * across
        + np.sin(angle)[:, np.newaxis, np.newaxis] * across[:, np.newaxis]
    )
    behind = (place - distance[:, np.newaxis, np.newaxis]).clip(0, 1).astype(np.float32)
    scene: Floats = ground[:, np.newaxis, np.newaxis]
    scene = scene + behind[..., np.newaxis] * (wall[:, np.newaxis, np.newaxis] - scene)
    return scene


def _with_shadow(scene: Floats, ink: Floats, rng: np.random.Generator) -> Floats:
    """Add a darker or lighter copy, offset by a pixel or two, behind a third of the digits."""
    shadowed = rng.random(len(ink)) < SHADOW_SHARE
    depth = np.where(shadowed, rng.uniform(-70, 30, size=len(ink)), 0)
    down, right = rng.integers(1, 3, size=2)
    moved = np.zeros_like(ink)
    moved[:, down:, right:] = ink[:, :-down, :-right]
    return scene + moved * depth.astype(np.float32)[:, np.newaxis, np.newaxis, np.newaxis]


def _light(count: int, rng: np.random.Generator) -> Floats:
    """Uneven light [N, 32, 32, 1]: 4x4 random levels, interpolated linearly."""
    levels = rng.normal(0, 1, size=(count, 4, 4)) * rng.uniform(2, 16, size=(count, 1, 1))
    place = np.linspace(0, 3, IMAGE_SIZE)[:, np.newaxis]
    spread = (1 - np.abs(place - np.arange(4))).clip(0, 1)
    light: npt.NDArray[np.float64] = spread @ levels @ spread.T
    return light[..., np.newaxis].astype(np.float32)


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Camera noise: normal, with a standard deviation of 0.5 to 5 levels per image."""
    strength = rng.uniform(0.5, 5, size=(shape[0], 1, 1, 1)).astype(np.float32)
    return strength * rng.standard_normal(shape, dtype=np.float32)
