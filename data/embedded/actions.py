"""Actions of drawn people: the poses of each action and its props."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data.embedded.skeleton import Build, Floats, Joint, Stroke, skeleton

METAL = (96, 100, 108)
RUBBER = (40, 40, 44)
WOOD = (130, 92, 58)
CYCLE_STEPS = 24  # number of phases sampled to find the middle of a whole cycle

Pair = tuple[float, float]
Props = Callable[[Floats], list[Stroke]]


@dataclass(frozen=True)
class Pose:
    """Directions of the limbs in degrees: 0 down, 90 ahead, 180 up, -90 behind.

    Attributes:
        torso: direction from the hip to the neck.
        arm: directions of the upper arm and the forearm.
        leg: directions of the thigh and the shin.
        head: direction from the neck; None for the torso's.
        far_arm: directions of the other arm; None for those of `arm`, mirrored if the figure is
            seen from the front.
        far_leg: the same for the other leg.
    """

    torso: float
    arm: Pair
    leg: Pair
    head: float | None = None
    far_arm: Pair | None = None
    far_leg: Pair | None = None


def _nothing(joints: Floats) -> list[Stroke]:  # noqa: ARG001 - Props
    return []


@dataclass(frozen=True, kw_only=True)
class Action:
    """A cycle of poses.

    Attributes:
        poses: key poses at equal intervals; the last leads back to the first.
        anchor: joints that stay in place.
        frontal: whether the figure is seen from the front.
        props: returns the strokes of the props, given joints [17, 2].
        peak: most characteristic phase, in 0..1.
    """

    poses: tuple[Pose, ...]
    anchor: tuple[Joint, ...]
    frontal: bool = False
    props: Props = _nothing
    peak: float = 0.5

    def directions(self, phases: Floats) -> Floats:
        """Directions [T, 10] of the limbs (see skeleton) at phases [T]; 1 is a whole cycle."""
        keys = np.array([_directions(pose, mirrored=self.frontal) for pose in self.poses])
        place = (phases % 1) * len(keys)
        before = place.astype(np.int64) % len(keys)
        after = (before + 1) % len(keys)
        share = (1 - np.cos(np.pi * (place - np.floor(place)))) / 2
        blended: Floats = keys[before] + share[:, np.newaxis] * (keys[after] - keys[before])
        return blended

    def random_breadth(self, rng: np.random.Generator) -> float:
        """Random breadth (see `Build`): not quite from the side, or not quite from the front."""
        return rng.uniform(0.85, 1) if self.frontal else rng.uniform(0, 0.3)

    def joints(self, phases: Floats, build: Build, bias: Floats) -> Floats:
        """Joints at the given phases; (0, 0) is the middle of the bounding box of the whole cycle.

        Args:
            phases: phases [T].
            build: build of the person.
            bias: offsets [10] of this person's limbs from the poses, in degrees.

        Returns:
            Positions [T, 17, 2] in body heights, in the order of `Joint`.
        """
        cycle = np.arange(CYCLE_STEPS) / CYCLE_STEPS
        all_phases = np.concatenate([cycle, phases])
        joints = skeleton(self.directions(all_phases) + bias, build)
        joints -= joints[:, list(self.anchor)].mean(axis=1, keepdims=True)
        around = joints[:CYCLE_STEPS].reshape(-1, 2)
        moved: Floats = joints[CYCLE_STEPS:] - (around.min(axis=0) + around.max(axis=0)) / 2
        return moved


def _directions(pose: Pose, *, mirrored: bool) -> list[float]:
    sign = -1 if mirrored else 1
    far_arm = pose.far_arm or (sign * pose.arm[0], sign * pose.arm[1])
    far_leg = pose.far_leg or (sign * pose.leg[0], sign * pose.leg[1])
    head = pose.torso if pose.head is None else pose.head
    return [pose.torso, head, *pose.arm, *pose.leg, *far_arm, *far_leg]


def _bar(joints: Floats) -> list[Stroke]:
    """A pull-up bar with its posts."""
    middle = joints[[Joint.HAND, Joint.FAR_HAND]].mean(axis=0)
    corners = middle + np.array([[-0.42, 1.35], [-0.42, 0], [0.42, 0], [0.42, 1.35]])
    return [Stroke(corners, 0.03, METAL)]


def _bicycle(joints: Floats) -> list[Stroke]:
    places = np.array([[-0.24, 0.36], [0, 0.03], [0.08, 0.38], [0.48, 0.36]])
    back, saddle, pedals, front = joints[Joint.HIP] + places
    frame = np.stack([back, saddle, pedals, back, pedals, joints[Joint.HAND], front])
    return [_wheel(back), _wheel(front), Stroke(frame, 0.025, METAL)]


def _wheel(middle: Floats) -> Stroke:
    turn = np.linspace(0, 2 * np.pi, 25)
    rim = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    return Stroke(middle + 0.19 * rim, 0.025, RUBBER)


def _club(joints: Floats) -> list[Stroke]:
    hand = joints[Joint.HAND]
    along = hand - joints[Joint.SHOULDER]
    end = hand + 0.42 * along / np.linalg.norm(along)
    return [Stroke(np.stack([hand, end]), 0.018, METAL), Stroke(end[np.newaxis], 0.05, METAL)]


def _mat(joints: Floats) -> list[Stroke]:
    ends = joints[Joint.HIP] + np.array([[-0.55, 0.09], [0.5, 0.09]])
    return [Stroke(ends, 0.05, (60, 110, 170))]


def _rowing_machine(joints: Floats) -> list[Stroke]:
    hand, foot = joints[Joint.HAND], joints[Joint.ANKLE]
    rail = foot + np.array([[-0.62, 0.06], [0.16, 0.06]])
    wheel = foot + np.array([0.16, -0.04])
    return [
        Stroke(rail, 0.045, METAL),
        Stroke(wheel[np.newaxis], 0.22, RUBBER),
        Stroke(np.stack([wheel, hand]), 0.02, RUBBER),
    ]


def _chair(joints: Floats) -> list[Stroke]:
    hip = joints[Joint.HIP]
    seat = np.array([[-0.1, -0.3], [-0.1, 0.3], [-0.1, 0.07], [0.2, 0.07], [0.2, 0.3]])
    return [Stroke(hip + seat, 0.03, WOOD)]


def _ball(joints: Floats) -> list[Stroke]:
    hand = joints[Joint.HAND]
    along = hand - joints[Joint.ELBOW]
    return [Stroke((hand + 0.35 * along)[np.newaxis], 0.09, (214, 120, 50))]


ANKLES = (Joint.ANKLE, Joint.FAR_ANKLE)
HANDS = (Joint.HAND, Joint.FAR_HAND)

EXERCISES = {
    "JumpingJacks": Action(
        poses=(Pose(180, arm=(34, 24), leg=(9, 6)), Pose(180, arm=(148, 160), leg=(28, 24))),
        anchor=ANKLES,
        frontal=True,
    ),
    "Kicks": Action(
        poses=(
            Pose(180, (15, 145), (42, -14), far_arm=(35, 135), far_leg=(-8, -14)),
            Pose(188, (10, 140), (92, 5), far_arm=(35, 130), far_leg=(-3, -8)),
            Pose(206, (5, 130), (102, 96), 190, far_arm=(30, 125), far_leg=(-2, -6)),
            Pose(188, (10, 140), (92, 5), far_arm=(35, 130), far_leg=(-3, -8)),
        ),
        anchor=(Joint.FAR_ANKLE,),
    ),
    "Lunges": Action(
        poses=(
            Pose(180, (-38, 42), (34, 8), far_arm=(-30, 48), far_leg=(-16, -34)),
            Pose(178, (-38, 42), (84, -4), far_arm=(-30, 48), far_leg=(-14, -82)),
        ),
        anchor=(Joint.ANKLE,),
    ),
    "PullUps": Action(
        poses=(
            Pose(180, arm=(150, 162), leg=(5, 2)),
            Pose(180, arm=(42, 163), leg=(8, -4)),
        ),
        anchor=HANDS,
        frontal=True,
        props=_bar,
    ),
    "PushUps": Action(
        poses=(
            Pose(115, (0, 0), (-65, -65), 118, far_arm=(6, 4)),
            Pose(99, (-70, 66), (-81, -81), 112, far_arm=(-62, 60)),
        ),
        anchor=(Joint.ANKLE,),
    ),
    "Squats": Action(
        poses=(
            Pose(164, (74, 86), (32, -12), 172, far_arm=(68, 80), far_leg=(26, -14)),
            Pose(142, (84, 92), (92, -26), 162, far_arm=(78, 86), far_leg=(84, -30)),
        ),
        anchor=(Joint.ANKLE,),
    ),
}

SPORTS = {
    "Bowing": Action(
        poses=(
            Pose(120, (40, 30), (-4, 0), far_leg=(2, -2)),
            Pose(62, (18, 12), (-8, 2), 45, far_leg=(-2, -2)),
        ),
        anchor=(Joint.ANKLE,),
    ),
    "Cycling": Action(
        poses=(
            Pose(134, (48, 70), (80, -12), 150, far_leg=(30, -14)),
            Pose(132, (48, 70), (58, -35), 150, far_leg=(62, 12)),
            Pose(134, (48, 70), (30, -14), 150, far_leg=(80, -12)),
            Pose(136, (48, 70), (62, 12), 150, far_leg=(58, -35)),
        ),
        anchor=(Joint.HIP,),
        props=_bicycle,
    ),
    "Golf": Action(
        poses=(
            Pose(168, (22, 10), (12, 4), 172, far_arm=(-8, -16), far_leg=(-14, -4)),
            Pose(174, (118, 128), (14, 4), 172, far_arm=(88, 106), far_leg=(-12, -4)),
        ),
        anchor=ANKLES,
        frontal=True,
        props=_club,
    ),
    "Lying": Action(
        poses=(
            Pose(91, (-76, -84), (-90, -90), far_arm=(-70, -80)),
            Pose(91, (-76, -84), (-138, -42), far_arm=(-70, -80), far_leg=(-130, -46)),
        ),
        anchor=(Joint.HIP,),
        props=_mat,
    ),
    "Rowing": Action(
        poses=(
            Pose(150, (70, 78), (118, 35), 160, far_leg=(112, 40)),
            Pose(208, (-25, 88), (96, 80), 196, far_leg=(92, 84)),
        ),
        anchor=(Joint.ANKLE,),
        props=_rowing_machine,
    ),
    "Sitting": Action(
        poses=(
            Pose(182, (16, 70), (86, 0), far_arm=(22, 76), far_leg=(80, 8)),
            Pose(172, (30, 110), (90, -8), far_arm=(8, 62), far_leg=(84, 14)),
        ),
        anchor=(Joint.HIP,),
        props=_chair,
    ),
    "Throwing": Action(
        poses=(
            Pose(196, (-122, -190), (-22, -34), far_arm=(82, 92), far_leg=(38, 6)),
            Pose(160, (-236, -242), (-34, -56), far_arm=(20, 60), far_leg=(44, -8)),
        ),
        anchor=(Joint.FAR_ANKLE,),
        props=_ball,
        peak=0.1,
    ),
    "YogaTree": Action(
        poses=(
            Pose(180, (156, 208), (66, -58), far_leg=(0, 0)),
            Pose(178, (162, 200), (58, -66), far_leg=(0, 0)),
        ),
        anchor=(Joint.FAR_ANKLE,),
        frontal=True,
    ),
}
