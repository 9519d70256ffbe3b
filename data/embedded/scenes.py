"""Backgrounds for drawn people (a cluttered room, a bright studio, outdoors), and colours."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from data.embedded.skeleton import Colour

Size = tuple[int, int]

SKINS: tuple[Colour, ...] = ((236, 198, 168), (214, 160, 122), (168, 112, 78), (110, 72, 50))
WALL: Colour = (176, 168, 156)
FLOOR: Colour = (150, 124, 98)
SKY: Colour = (150, 185, 225)
BUSHES: Colour = (70, 105, 70)
LANDS: tuple[Colour, ...] = ((95, 140, 70), (190, 170, 120), (140, 134, 126))
TINT = 0.35  # relative to a shift in brightness
CLUTTER = 20  # difference of the objects in a room from its wall, in levels
BLOTCH = 6  # pixels


def random_skin(rng: np.random.Generator) -> Colour:
    """Pick one of a few skin colours."""
    return SKINS[rng.integers(len(SKINS))]


def random_colour(rng: np.random.Generator, low: int, high: int) -> Colour:
    """Draw a colour with each channel in low..high - 1."""
    red, green, blue = rng.integers(low, high, size=3).tolist()
    return red, green, blue


def near(colour: Colour, spread: float, rng: np.random.Generator) -> Colour:
    """Vary a colour's brightness, by a deviation of `spread` levels, and its tint."""
    shift = spread * (rng.normal() + TINT * rng.normal(size=3))
    red, green, blue = np.rint((colour + shift).clip(0, 255)).astype(int).tolist()
    return red, green, blue


def draw_room(size: Size, rng: np.random.Generator) -> Image.Image:
    """Draw a wall and a floor with assorted objects, out of focus; RGB of the given size."""
    wall = near(WALL, 16, rng)
    room = Image.new("RGB", size, wall)
    canvas = ImageDraw.Draw(room)
    canvas.rectangle((0, size[1] * rng.uniform(0.65, 0.8), *size), fill=near(FLOOR, 16, rng))
    for _ in range(rng.integers(6, 14)):
        _put_thing(canvas, size, near(wall, CLUTTER, rng), rng)
    blurred = room.filter(ImageFilter.GaussianBlur(rng.uniform(2, 6)))
    return _textured(blurred, rng.uniform(2, 6), rng)


def draw_studio(size: Size, rng: np.random.Generator) -> Image.Image:
    """Draw a plain bright ground that darkens towards the bottom; RGB of the given size."""
    width, height = size
    tint = rng.uniform(205, 252, size=3)
    fall = np.linspace(0, rng.uniform(5, 45), height)[:, np.newaxis, np.newaxis]
    ground = np.broadcast_to(tint - fall, (height, width, 3))
    return Image.fromarray(np.rint(ground).astype(np.uint8))


def draw_outdoors(size: Size, rng: np.random.Generator) -> Image.Image:
    """Draw sky over bushes over grass, sand or a road, with texture; RGB of the given size."""
    width, height = size
    horizon = height * rng.uniform(0.4, 0.7)
    scene = Image.new("RGB", size, near(SKY, 25, rng))
    canvas = ImageDraw.Draw(scene)
    for _ in range(rng.integers(4, 12)):
        x, half = rng.uniform(0, width), rng.uniform(15, 60)
        box = (x - 1.5 * half, horizon - half, x + 1.5 * half, horizon + half)
        canvas.ellipse(box, fill=near(BUSHES, 25, rng))
    land = LANDS[rng.integers(len(LANDS))]
    canvas.rectangle((0, horizon, width, height), fill=near(land, 18, rng))
    blurred = scene.filter(ImageFilter.GaussianBlur(2))
    return _textured(blurred, rng.uniform(6, 16), rng)


def _put_thing(
    canvas: ImageDraw.ImageDraw, size: Size, colour: Colour, rng: np.random.Generator
) -> None:
    """Draw a box, a ball or a pole."""
    x, y = rng.uniform(0, 1, size=2) * size
    wide, high = rng.uniform(4, 35, size=2)
    box = (x - wide, y - high, x + wide, y + high)
    kind = rng.integers(3)
    if kind == 0:
        canvas.rectangle(box, fill=colour)
    elif kind == 1:
        canvas.ellipse(box, fill=colour)
    else:
        ends = np.add(rng.uniform(-90, 90, size=(2, 2)), (x, y))
        canvas.line(ends.ravel().tolist(), fill=colour, width=int(rng.integers(5, 22)))


def _textured(picture: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """Add blotches with a standard deviation of `strength` levels."""
    width, height = picture.size
    shape = (height // BLOTCH, width // BLOTCH)
    coarse = rng.normal(0, strength, size=shape).astype(np.float32)
    blotches = np.asarray(Image.fromarray(coarse).resize(picture.size, Image.Resampling.BILINEAR))
    mixed = np.asarray(picture, np.float32) + blotches[..., np.newaxis]
    return Image.fromarray(np.rint(mixed.clip(0, 255)).astype(np.uint8))
