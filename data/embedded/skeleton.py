"""Drawn people: skeletons from the directions of their limbs, and the strokes that paint them.

Lengths are in body heights, with x to the right (ahead, for a figure seen from the side) and y
down.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Floats = npt.NDArray[np.float64]
Colour = tuple[int, int, int]

LENGTHS = {
    "torso": 0.30,
    "head": 0.115,
    "upper arm": 0.17,
    "forearm": 0.16,
    "thigh": 0.24,
    "shin": 0.24,
    "foot": 0.07,
}
LENGTH_SPREAD = 0.04  # relative standard deviation of a person's lengths
SHOULDER, GROIN = 0.10, 0.055  # half the widths, seen from the front
FAR_SHADE = 0.72  # brightness of the limbs behind the body
EDGE_SHADE = 0.33  # brightness of a stroke's edge


class Joint(IntEnum):
    """Joints in the order of a skeleton; seen from the front, the far limbs are on the left."""

    HIP = 0
    NECK = 1
    HEAD = 2
    SHOULDER = 3
    ELBOW = 4
    HAND = 5
    GROIN = 6
    KNEE = 7
    ANKLE = 8
    TOE = 9
    FAR_SHOULDER = 10
    FAR_ELBOW = 11
    FAR_HAND = 12
    FAR_GROIN = 13
    FAR_KNEE = 14
    FAR_ANKLE = 15
    FAR_TOE = 16


FAR = Joint.FAR_SHOULDER - Joint.SHOULDER


class Stroke(NamedTuple):
    """A line through points [n, 2] with round ends and corners; one point is a dot."""

    points: Floats
    width: float
    colour: Colour


@dataclass(frozen=True, kw_only=True)
class Build:
    """A person's proportions and the viewing direction.

    Attributes:
        lengths: lengths of the limbs, by the names in LENGTHS.
        breadth: 0 seen from the side, 1 from the front.
    """

    lengths: Mapping[str, float]
    breadth: float

    @property
    def frontal(self) -> bool:
        """Whether the figure is seen from the front rather than from the side."""
        return self.breadth > 0.5


@dataclass(frozen=True, kw_only=True)
class Look:
    """A figure's colours and clothes.

    Attributes:
        sleeves: whether the shirt covers the forearms.
        long_legs: whether the trousers cover the shins.
        thickness: thickness of the limbs, relative to an ordinary person.
    """

    skin: Colour
    hair: Colour
    shirt: Colour
    trousers: Colour
    shoes: Colour
    sleeves: bool
    long_legs: bool
    thickness: float


def random_build(rng: np.random.Generator, breadth: float) -> Build:
    """A person with random lengths."""
    factors = 1 + LENGTH_SPREAD * rng.standard_normal(len(LENGTHS))
    pairs = zip(LENGTHS, factors.tolist(), strict=True)
    return Build(lengths={name: LENGTHS[name] * factor for name, factor in pairs}, breadth=breadth)


def skeleton(directions: Floats, build: Build) -> Floats:
    """Positions of the joints, with the hip at (0, 0).

    Args:
        directions: [T, 10] degrees, 0 down, 90 ahead, 180 up: torso, head, upper arm, forearm,
            thigh, shin, then the far upper arm, forearm, thigh and shin.
        build: build of the person.

    Returns:
        Positions [T, 17, 2] in body heights, in the order of `Joint`.
    """
    angles = np.radians(directions)
    steps = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    joints = np.zeros((len(directions), len(Joint), 2))
    joints[:, Joint.NECK] = steps[:, 0] * build.lengths["torso"]
    joints[:, Joint.HEAD] = joints[:, Joint.NECK] + steps[:, 1] * build.lengths["head"]
    across = build.breadth * _quarter_turn(steps[:, 0])
    joints[:, Joint.SHOULDER] = joints[:, Joint.NECK] - SHOULDER * across
    joints[:, Joint.FAR_SHOULDER] = joints[:, Joint.NECK] + SHOULDER * across
    joints[:, Joint.GROIN] = -GROIN * across
    joints[:, Joint.FAR_GROIN] = GROIN * across
    _add_limbs(joints[:, Joint.SHOULDER : Joint.FAR_SHOULDER], steps[:, 2:6], build, outwards=1)
    outwards = -1 if build.frontal else 1
    _add_limbs(joints[:, Joint.FAR_SHOULDER :], steps[:, 6:], build, outwards)
    return joints


def _quarter_turn(steps: Floats) -> Floats:
    """Rotate unit vectors [T, 2] so that down becomes ahead."""
    turned: Floats = steps[:, ::-1] * np.array([1, -1])
    return turned


def _add_limbs(joints: Floats, steps: Floats, build: Build, outwards: int) -> None:
    """Fill in the arm and leg attached to the shoulder and groin in `joints` [T, 7, 2].

    `steps` [T, 4, 2] are unit vectors along the upper arm, forearm, thigh and shin; the toe points
    ahead if `outwards` is 1, backwards if it is -1.
    """
    shoulder, elbow, hand, groin, knee, ankle, toe = range(7)
    size = build.lengths
    joints[:, elbow] = joints[:, shoulder] + size["upper arm"] * steps[:, 0]
    joints[:, hand] = joints[:, elbow] + size["forearm"] * steps[:, 1]
    joints[:, knee] = joints[:, groin] + size["thigh"] * steps[:, 2]
    joints[:, ankle] = joints[:, knee] + size["shin"] * steps[:, 3]
    joints[:, toe] = joints[:, ankle] + outwards * size["foot"] * _quarter_turn(steps[:, 3])


def figure_strokes(joints: Floats, build: Build, look: Look) -> list[Stroke]:
    """The strokes of a figure, from back to front.

    Args:
        joints: positions [17, 2], in the order of `Joint`.
        build: build of the person.
        look: clothes of the person.
    """
    far = look if build.frontal else _shaded(look)
    return [
        *_limbs(joints[Joint.FAR_SHOULDER :], far),
        *_trunk(joints, build, look),
        *_limbs(joints[Joint.SHOULDER : Joint.FAR_SHOULDER], look),
    ]


def _limbs(joints: Floats, look: Look) -> list[Stroke]:
    """A leg and an arm, given joints [7, 2]: shoulder, elbow, hand, groin, knee, ankle, toe."""
    thick = look.thickness
    return [
        Stroke(joints[5:7], 0.05 * thick, look.shoes),
        Stroke(joints[4:6], 0.065 * thick, look.trousers if look.long_legs else look.skin),
        Stroke(joints[3:5], 0.09 * thick, look.trousers),
        Stroke(joints[1:3], 0.05 * thick, look.shirt if look.sleeves else look.skin),
        Stroke(joints[0:2], 0.065 * thick, look.shirt),
        Stroke(joints[2:3], 0.06 * thick, look.skin),
    ]


def _trunk(joints: Floats, build: Build, look: Look) -> list[Stroke]:
    """Neck, hips, chest, shoulders and head."""
    thick = look.thickness
    hip, neck, head = joints[[Joint.HIP, Joint.NECK, Joint.HEAD]]
    chest = np.stack([neck + 0.2 * (hip - neck), hip + 0.15 * (neck - hip)])
    crown = head + 0.25 * (head - neck)
    return [
        Stroke(np.stack([neck, head]), 0.05 * thick, look.skin),
        Stroke(joints[[Joint.GROIN, Joint.FAR_GROIN]], 0.11 * thick, look.trousers),
        Stroke(chest, (0.13 + 0.06 * build.breadth) * thick, look.shirt),
        Stroke(joints[[Joint.SHOULDER, Joint.FAR_SHOULDER]], 0.08 * thick, look.shirt),
        Stroke(crown[np.newaxis], 0.12, look.hair),
        Stroke(head[np.newaxis], 0.115, look.skin),
    ]


def _shaded(look: Look) -> Look:
    """The look in the body's shadow."""
    return replace(
        look,
        skin=_dim(look.skin, FAR_SHADE),
        hair=_dim(look.hair, FAR_SHADE),
        shirt=_dim(look.shirt, FAR_SHADE),
        trousers=_dim(look.trousers, FAR_SHADE),
        shoes=_dim(look.shoes, FAR_SHADE),
    )


def _dim(colour: Colour, share: float) -> Colour:
    red, green, blue = (round(share * level) for level in colour)
    return red, green, blue


def paint(
    picture: Image.Image,
    strokes: Iterable[Stroke],
    *,
    height: float,
    middle: tuple[float, float],
    mirrored: bool,
    edge: float = 0,
) -> None:
    """Paint strokes on an RGB picture, in order.

    Args:
        picture: image to paint on, in place.
        strokes: strokes in body heights.
        height: height of the body, in pixels.
        middle: position of (0, 0), in pixels.
        mirrored: whether left and right are swapped.
        edge: width of a dark outline around every stroke, in body heights.
    """
    canvas = ImageDraw.Draw(picture)
    scale = np.array([-height if mirrored else height, height])
    for stroke in strokes:
        points = [(x, y) for x, y in (stroke.points * scale + middle).tolist()]
        if edge:
            width = (stroke.width + 2 * edge) * height
            _paint_line(canvas, points, width, _dim(stroke.colour, EDGE_SHADE))
        _paint_line(canvas, points, stroke.width * height, stroke.colour)


def _paint_line(
    canvas: ImageDraw.ImageDraw, points: list[tuple[float, float]], width: float, colour: Colour
) -> None:
    canvas.line(points, fill=colour, width=max(1, round(width)))
    for point in points:
        canvas.circle(point, width / 2, fill=colour)
