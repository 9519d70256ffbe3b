"""Rendered street-style digits that play SVHN where no real data are at hand.

Each image is a digit in one of several fonts, with the neighbours that SVHN's crops show at the
sides, on a plate or wall with its own colours, light and blur. Every font, colour and position
comes from one seeded generator: the same versions of Pillow, numpy and matplotlib (whose fonts
are used) give the same bytes on the same kind of machine.
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
GLYPH_HEIGHT = 40  # pixels; about twice the drawn size, so that shrinking keeps the edges smooth
CANVAS = (160, 64)
CHUNK = 500

NEIGHBOUR_SHARE = 0.65
DARK_ON_LIGHT_SHARE = 0.5
PLATE_EDGE_SHARE = 0.35
SHADOW_SHARE = 0.35

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class StreetReader:
    """Draws 600 (train) or 100 (test) street-style digits a class, as luminance 32x32.

    The two splits are drawn from different seeds, so no image is in both.
    """

    name: str = "street"
    classes: tuple[str, ...] = DIGITS
    embedded: bool = True
    version: int = 1

    def files(self, root: Path | None, split: str) -> tuple[Path, ...]:  # noqa: ARG002 - Reader
        """No file: the images are drawn."""
        check_split(split)
        return ()

    def read(self, root: Path | None, split: str) -> RawImages:  # noqa: ARG002 - Reader
        """The images of a split, uint8 [N, 32, 32, 1]; the same bytes every time.

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
        """Always refused.

        Raises:
            DataError: always; there is nothing to download.
        """
        raise no_download(self.name)


def draw_street_digits(
    labels: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Draw one street-style digit for each label.

    Args:
        labels: int64 [N], the digits 0..9.
        rng: source of all chance; it is advanced.

    Returns:
        RGB, uint8 [N, 32, 32, 3].
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
    """Where matplotlib keeps its fonts; it is not imported, which costs a second."""
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        raise DataError("Expected matplotlib, whose fonts are used, found none: install it.")
    return Path(found.origin).with_name("mpl-data") / "fonts" / "ttf"


@cache
def _glyph(font: str, digit: int) -> Image.Image:
    """The ink of a digit, "L", cropped to its bounding box."""
    path = _fonts() / font
    # The basic layout engine is built into Pillow; the other depends on the system's libraries.
    drawn = ImageFont.truetype(path, GLYPH_HEIGHT * 4 // 3, layout_engine=ImageFont.Layout.BASIC)
    mask = drawn.getmask(str(digit), mode="L")
    glyph = Image.frombytes("L", mask.size, bytes(mask))
    glyph = glyph.crop(glyph.getbbox())
    width = max(1, round(glyph.width * GLYPH_HEIGHT / glyph.height))
    return glyph.resize((width, GLYPH_HEIGHT), Image.Resampling.BILINEAR)


def _ink(digit: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Coverage [32, 32] of one digit and its neighbours, turned, scaled, shifted and blurred."""
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
    """Affine coefficients from an output pixel to the canvas, as Pillow wants them."""
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
    """Ground and paint colours [N, 3]: a step in brightness, either way, and a tint of each."""
    step = 30 + 170 * rng.beta(1.2, 2.2, size=count)
    darker = rng.random(count) < DARK_ON_LIGHT_SHARE
    level = rng.uniform(0, 1, size=count) * (240 - step) + 10
    ground = np.where(darker, level + step, level)
    paint = np.where(darker, level, level + step)
    tints = rng.normal(0, 22, size=(2, count, 3))
    # A tint without luminance of its own leaves the step as it was drawn.
    tints -= (tints @ np.array([RED, GREEN, BLUE]) / THOUSAND)[..., np.newaxis]
    return (
        (ground[:, np.newaxis] + tints[0]).astype(np.float32),
        (paint[:, np.newaxis] + tints[1]).astype(np.float32),
    )


def _walls(ground: Floats, rng: np.random.Generator) -> Floats:
    """The ground [N, 32, 32, 3]: for a third of the images, a plate's edge and a wall behind it."""
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
    """Under a third of the digits, a darker or lighter copy moved by a pixel or two."""
    shadowed = rng.random(len(ink)) < SHADOW_SHARE
    depth = np.where(shadowed, rng.uniform(-70, 30, size=len(ink)), 0)
    down, right = rng.integers(1, 3, size=2)
    moved = np.zeros_like(ink)
    moved[:, down:, right:] = ink[:, :-down, :-right]
    return scene + moved * depth.astype(np.float32)[:, np.newaxis, np.newaxis, np.newaxis]


def _light(count: int, rng: np.random.Generator) -> Floats:
    """Uneven light [N, 32, 32, 1]: 4x4 random levels, spread linearly over the image."""
    levels = rng.normal(0, 1, size=(count, 4, 4)) * rng.uniform(2, 16, size=(count, 1, 1))
    place = np.linspace(0, 3, IMAGE_SIZE)[:, np.newaxis]
    spread = (1 - np.abs(place - np.arange(4))).clip(0, 1)
    light: npt.NDArray[np.float64] = spread @ levels @ spread.T
    return light[..., np.newaxis].astype(np.float32)


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """The camera's grain: normal noise, standard deviation 0.5 to 5 levels, an image each."""
    strength = rng.uniform(0.5, 5, size=(shape[0], 1, 1, 1)).astype(np.float32)
    return strength * rng.standard_normal(shape, dtype=np.float32)
