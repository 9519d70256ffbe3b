from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from data.embedded.actions import EXERCISES, SPORTS
from data.embedded.skeleton import (
    LENGTHS,
    Build,
    Joint,
    Look,
    Stroke,
    figure_strokes,
    paint,
    random_build,
    skeleton,
)

ACTIONS = EXERCISES | SPORTS
SIDE = Build(lengths=LENGTHS, breadth=0)
FRONT = Build(lengths=LENGTHS, breadth=1)
NO_BIAS = np.zeros(10)
CYCLE = np.arange(48) / 48
# Torso and head up; arm ahead, forearm up; thigh ahead, shin down; the far limbs hang.
SEATED = np.array([[180, 180, 90, 180, 90, 0, 0, 0, 0, 0]], float)
UPRIGHT = np.array([[180, 180, 0, 0, 0, 0, 0, 0, 0, 0]], float)
BONES = (
    ("torso", Joint.HIP, Joint.NECK),
    ("head", Joint.NECK, Joint.HEAD),
    ("upper arm", Joint.SHOULDER, Joint.ELBOW),
    ("forearm", Joint.ELBOW, Joint.HAND),
    ("thigh", Joint.GROIN, Joint.KNEE),
    ("shin", Joint.KNEE, Joint.ANKLE),
    ("foot", Joint.ANKLE, Joint.TOE),
    ("upper arm", Joint.FAR_SHOULDER, Joint.FAR_ELBOW),
    ("forearm", Joint.FAR_ELBOW, Joint.FAR_HAND),
    ("thigh", Joint.FAR_GROIN, Joint.FAR_KNEE),
    ("shin", Joint.FAR_KNEE, Joint.FAR_ANKLE),
    ("foot", Joint.FAR_ANKLE, Joint.FAR_TOE),
)
LOOK = Look(
    skin=(250, 200, 150),
    hair=(90, 60, 30),
    shirt=(200, 0, 0),
    trousers=(0, 0, 200),
    shoes=(0, 200, 0),
    sleeves=False,
    long_legs=True,
    thickness=1,
)


def painted(strokes, *, mirrored=False, edge=0.0):
    picture = Image.new("RGB", (120, 120), (255, 255, 255))
    paint(picture, strokes, height=100, middle=(60, 60), mirrored=mirrored, edge=edge)
    return np.asarray(picture, int)


def dot(x, y, colour=(200, 100, 50), width=0.1):
    return Stroke(np.array([[x, y]]), width, colour)


@pytest.mark.parametrize(
    ("joint", "place"),
    [
        (Joint.HIP, (0, 0)),
        (Joint.NECK, (0, -0.30)),
        (Joint.HEAD, (0, -0.415)),
        (Joint.ELBOW, (0.17, -0.30)),
        (Joint.HAND, (0.17, -0.46)),
        (Joint.KNEE, (0.24, 0)),
        (Joint.ANKLE, (0.24, 0.24)),
        (Joint.TOE, (0.31, 0.24)),
        (Joint.FAR_HAND, (0, 0.03)),
        (Joint.FAR_ANKLE, (0, 0.48)),
        (Joint.FAR_TOE, (0.07, 0.48)),
    ],
)
def test_a_seated_figure_seen_from_its_side_has_its_joints_where_they_add_up(joint, place):
    np.testing.assert_allclose(skeleton(SEATED, SIDE)[0, joint], place, atol=1e-12)


def test_from_the_front_the_limbs_lie_on_both_sides_and_the_toes_point_outwards():
    joints = skeleton(UPRIGHT, FRONT)[0]
    expected = {
        Joint.SHOULDER: (0.10, -0.30),
        Joint.FAR_SHOULDER: (-0.10, -0.30),
        Joint.GROIN: (0.055, 0),
        Joint.FAR_GROIN: (-0.055, 0),
        Joint.TOE: (0.125, 0.48),
        Joint.FAR_TOE: (-0.125, 0.48),
    }
    for joint, place in expected.items():
        np.testing.assert_allclose(joints[joint], place, atol=1e-12)


def test_the_shoulders_lie_across_a_torso_that_leans():
    lying = np.array([[90, 90, 0, 0, 0, 0, 0, 0, 0, 0]], float)
    joints = skeleton(lying, FRONT)[0]
    np.testing.assert_allclose(joints[Joint.SHOULDER], (0.30, 0.10), atol=1e-12)
    np.testing.assert_allclose(joints[Joint.FAR_SHOULDER], (0.30, -0.10), atol=1e-12)


def test_a_limb_keeps_its_length_whatever_its_direction():
    rng = np.random.default_rng(0)
    build = random_build(rng, 0.3)
    joints = skeleton(rng.uniform(-180, 180, size=(50, 10)), build)
    for name, start, end in BONES:
        lengths = np.linalg.norm(joints[:, end] - joints[:, start], axis=1)
        np.testing.assert_allclose(lengths, build.lengths[name], rtol=1e-9)


def test_people_differ_by_a_few_per_cent_in_every_length():
    rng = np.random.default_rng(0)
    builds = [random_build(rng, 0) for _ in range(400)]
    for name, length in LENGTHS.items():
        shares = np.array([build.lengths[name] for build in builds]) / length
        assert abs(shares.mean() - 1) < 0.01
        assert 0.034 < shares.std() < 0.046


def test_a_dot_lies_where_its_place_times_the_height_says():
    ink = painted([dot(0.3, -0.2, width=0.4)])[..., 2] == 50
    rows, columns = np.nonzero(ink)
    assert (rows.mean(), columns.mean()) == pytest.approx((40, 90), abs=0.6)
    assert ink.sum() == pytest.approx(np.pi * 20**2, rel=0.1)


def test_mirrored_left_and_right_change_places_and_up_stays_up():
    rows, columns = np.nonzero(painted([dot(0.3, -0.2)], mirrored=True)[..., 2] == 50)
    assert (rows.mean(), columns.mean()) == pytest.approx((40, 30), abs=0.6)


def test_the_later_stroke_covers_the_earlier_one():
    first, second = dot(0, 0, (255, 0, 0)), dot(0, 0, (0, 0, 255))
    assert painted([first, second])[60, 60].tolist() == [0, 0, 255]


def test_an_edge_is_a_darker_line_around_the_stroke():
    picture = painted([dot(0, 0, (240, 120, 60), width=0.3)], edge=0.04)
    assert picture[60, 60].tolist() == [240, 120, 60]
    assert picture[60, 60 + 17].tolist() == [79, 40, 20]
    assert picture[60, 60 + 21].tolist() == [255, 255, 255]


def test_a_line_has_round_ends_beyond_its_points():
    line = Stroke(np.array([[-0.2, 0], [0.2, 0]]), 0.2, (0, 0, 0))
    ink = painted([line])[..., 0] == 0
    assert ink[60].sum() == pytest.approx(40 + 20, abs=2)
    assert not ink[52, 60 - 29]


def colours(build, look=LOOK):
    return [stroke.colour for stroke in figure_strokes(skeleton(UPRIGHT, build)[0], build, look)]


def test_from_the_side_the_far_limbs_lie_behind_and_in_the_shade():
    assert colours(SIDE)[2] == (0, 0, 144)  # the far thigh: .72 of the trousers' colour
    assert (0, 0, 144) not in colours(SIDE)[6:]
    assert (0, 0, 144) not in colours(FRONT)


def test_sleeves_and_long_legs_cover_the_skin():
    covered = replace(LOOK, sleeves=True, long_legs=True)
    bare = replace(LOOK, sleeves=False, long_legs=False)
    # Covered: the neck, the face and two hands. Bare: also two forearms and two shins.
    assert colours(FRONT, covered).count(LOOK.skin) == 4
    assert colours(FRONT, bare).count(LOOK.skin) == 8


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_an_action_passes_through_its_poses_at_equal_times_and_closes(action):
    count = len(action.poses)
    directions = action.directions(np.arange(count + 1) / count)
    expected = [[pose.torso, *pose.arm, *pose.leg] for pose in action.poses]
    np.testing.assert_allclose(directions[:-1, [0, 2, 3, 4, 5]], expected)
    np.testing.assert_allclose(directions[-1], directions[0])


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_an_action_moves_around_what_stays_in_place(action):
    joints = action.joints(CYCLE, SIDE, NO_BIAS)
    anchors = joints[:, list(action.anchor)].mean(axis=1)
    np.testing.assert_allclose(anchors, np.broadcast_to(anchors[0], anchors.shape), atol=1e-12)
    assert np.ptp(joints, axis=0).max() > 0.04


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_the_middle_of_the_whole_cycle_is_the_origin(action):
    around = action.joints(np.arange(24) / 24, SIDE, NO_BIAS).reshape(-1, 2)
    np.testing.assert_allclose(around.min(axis=0) + around.max(axis=0), 0, atol=1e-12)
    one = action.joints(np.array([0.5]), SIDE, NO_BIAS)
    np.testing.assert_allclose(one[0], action.joints(CYCLE, SIDE, NO_BIAS)[24], atol=1e-12)


def test_half_way_between_two_poses_the_limbs_are_half_way():
    first, second = (pose.torso for pose in EXERCISES["Squats"].poses)
    torso = EXERCISES["Squats"].directions(np.array([0.25, 1.25, -0.75]))[:, 0]
    np.testing.assert_allclose(torso, (first + second) / 2)


def test_actions_seen_from_the_front_are_symmetric_unless_a_pose_says_otherwise():
    joints = EXERCISES["JumpingJacks"].joints(CYCLE, FRONT, NO_BIAS)
    near, far = joints[:, Joint.SHOULDER : Joint.TOE + 1], joints[:, Joint.FAR_SHOULDER :]
    np.testing.assert_allclose(near * (-1, 1), far, atol=1e-12)


def test_a_bias_turns_the_limbs_by_its_degrees():
    (squat,) = EXERCISES["Squats"].joints(np.array([0.5]), SIDE, np.array([20.0] + 9 * [0.0]))
    angle = np.radians(EXERCISES["Squats"].poses[1].torso + 20)
    np.testing.assert_allclose(
        squat[Joint.NECK] - squat[Joint.HIP], 0.30 * np.array([np.sin(angle), np.cos(angle)])
    )


def test_push_ups_are_done_on_hands_and_feet_with_the_face_ahead():
    joints = EXERCISES["PushUps"].joints(np.array([0.0, 0.5]), SIDE, NO_BIAS)
    hands, ankles = joints[:, Joint.HAND, 1], joints[:, Joint.ANKLE, 1]
    np.testing.assert_allclose(hands, ankles, atol=0.03)  # on one floor
    assert (joints[:, Joint.HEAD, 0] > joints[:, Joint.ANKLE, 0] + 0.7).all()
    assert joints[1, Joint.NECK, 1] > joints[0, Joint.NECK, 1] + 0.1  # half way it is low


def test_pull_ups_lift_the_head_to_the_bar():
    joints = EXERCISES["PullUps"].joints(np.array([0.0, 0.5]), FRONT, NO_BIAS)
    below = joints[:, Joint.HEAD, 1] - joints[:, Joint.HAND, 1]
    assert below[0] > 0.1
    assert below[1] < 0.02
    (bar,) = EXERCISES["PullUps"].props(joints[0])
    np.testing.assert_allclose(bar.points[1:3, 1], joints[0, Joint.HAND, 1], atol=1e-9)


def test_at_their_peaks_no_two_actions_look_alike():
    inks = {name: ink_at_peak(action) for name, action in ACTIONS.items()}
    for (one, ink), (other, its_ink) in combinations(inks.items(), 2):
        assert (ink & its_ink).sum() < 0.75 * (ink | its_ink).sum(), f"{one}, {other}"


def ink_at_peak(action):
    (joints,) = action.joints(np.array([action.peak]), SIDE, NO_BIAS)
    return painted([*action.props(joints), *figure_strokes(joints, SIDE, LOOK)]).min(axis=2) < 255


def test_directions_alone_tell_the_exercises_apart_most_of_the_time():
    # Classify another person (5 degrees of bias) by the nearest pose; exercises overlap mid-cycle.
    rng = np.random.default_rng(0)
    poses = [action.directions(CYCLE) for action in EXERCISES.values()]
    hits = [
        min(range(6), key=lambda label: np.abs(poses[label] - seen).sum(axis=1).min()) == truth
        for truth in range(6)
        for seen in poses[truth] + rng.normal(0, 5, size=(48, 10))
    ]
    assert np.mean(hits) > 0.9


@pytest.mark.parametrize(("name", "low", "high"), [("PullUps", 0.85, 1), ("PushUps", 0, 0.3)])
def test_people_are_seen_not_quite_from_the_front_or_the_side(name, low, high):
    rng = np.random.default_rng(0)
    breadths = [EXERCISES[name].random_breadth(rng) for _ in range(50)]
    assert low <= min(breadths) < max(breadths) <= high
