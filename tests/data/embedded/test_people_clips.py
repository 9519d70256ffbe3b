from dataclasses import replace

import av
import numpy as np
import pytest

from data.embedded.actions import Action
from data.embedded.people_clips import (
    FRAMES,
    HEIGHT,
    MARGIN,
    RATES,
    WIDTH,
    _camera,
    _scene,
    draw_clip,
    draw_recording,
    encode,
)
from data.embedded.people_readers import FIGURE_CLIPS, GROUPS

EXERCISES = FIGURE_CLIPS.classes


def decoded(path):
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(stream)]
        return np.stack(frames), stream.average_rate, stream.codec_context


@pytest.mark.parametrize("label", range(6), ids=EXERCISES)
def test_a_clip_decodes_to_the_frames_that_were_drawn(label, tmp_path):
    frames, rate = draw_clip(label, 5, 1)
    assert FRAMES[0] <= len(frames) <= FRAMES[1]
    assert frames.shape[1:] == (HEIGHT, WIDTH, 3)
    encode(frames, rate, tmp_path / "clip.avi")
    seen, seen_rate, codec = decoded(tmp_path / "clip.avi")
    assert seen.shape == frames.shape
    assert seen_rate == rate
    assert (codec.name, codec.codec_tag) == ("mpeg4", "XVID")
    assert np.abs(seen.astype(int) - frames).mean() < 8


def test_clips_come_in_several_lengths_and_both_rates():
    clips = [draw_clip(4, group, 1) for group in range(5, 11)]
    assert len({len(frames) for frames, _ in clips}) > 3
    assert {rate for _, rate in clips} == set(RATES)


def calm(label, group, number, **changes):
    """A clip without grain in which only the person moves, int [T, 72, 96, 3]."""
    steady = {"pan": np.zeros(2), "shake": 0.0, "grain": 0.0} | changes
    still = replace(draw_recording(label, group), **steady)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("data.embedded.people_clips.draw_recording", lambda label, group: still)
        return draw_clip(label, group, number)[0].astype(int)


@pytest.mark.parametrize("label", range(6), ids=EXERCISES)
def test_the_person_moves_in_the_middle_and_the_room_does_not(label):
    frames = calm(label, 6, 1)
    moved = np.abs(frames - frames[0]).max(axis=(0, 3)) > 30
    assert moved.sum() > 60
    rows, columns = np.nonzero(moved)
    assert columns.min() >= (WIDTH - HEIGHT) / 2
    assert columns.max() < (WIDTH + HEIGHT) / 2
    assert rows.min() > 0


def test_a_mirrored_person_faces_the_other_way():
    middle = np.array([WIDTH, HEIGHT]) / 2
    right, left = (
        np.abs(np.diff(calm(1, 6, 1, mirrored=mirrored, middle=middle), axis=0)).max((0, 3)) > 30
        for mirrored in (False, True)
    )
    assert (right & left[:, ::-1]).sum() > 0.9 * right.sum()
    assert (right & left).sum() < 0.6 * right.sum()


def test_the_light_scales_every_channel_and_the_grain_is_noise_on_top():
    lit = calm(3, 6, 1, gain=np.ones(3))
    dim = calm(3, 6, 1, gain=np.array([0.5, 0.6, 0.7]))
    np.testing.assert_allclose(dim, lit * (0.5, 0.6, 0.7), atol=0.5001)
    grainy = calm(3, 6, 1, gain=np.full(3, 0.8), grain=4.0) - calm(3, 6, 1, gain=np.full(3, 0.8))
    assert grainy.std() == pytest.approx(4, abs=0.2)
    assert np.ptp(grainy, axis=3).max() <= 1  # grey, but for rounding


@pytest.mark.parametrize("group", [5, 6, 7, 8])
def test_an_action_takes_one_to_three_seconds_whatever_the_frame_rate(group, monkeypatch):
    seen = []
    joints = Action.joints
    monkeypatch.setattr(
        Action, "joints", lambda self, *args: seen.append(args[0]) or joints(self, *args)
    )
    frames, rate = draw_clip(5, group, 1)
    assert len(seen[0]) == len(frames)
    assert 0 <= seen[0][0] < 1
    pace = np.diff(seen[0]) * float(rate)
    np.testing.assert_allclose(pace, pace[0])
    assert 0.4 <= pace[0] <= 0.9


def test_the_room_and_the_person_move_together_against_the_camera():
    recording = draw_recording(2, 6)
    (joints,) = recording.action.joints(np.zeros(1), recording.build, recording.bias)
    ahead = _scene(recording, joints, np.zeros(2))
    turned = _scene(recording, joints, np.array([3.0, 2.0]))
    assert (turned[:-2, :-3] == ahead[2:, 3:]).all()


def test_the_camera_moves_the_room():
    turning = replace(draw_recording(2, 6), pan=np.array([6.0, 0.0]), shake=0.0)
    path = _camera(turning, 25, np.random.default_rng(0))
    np.testing.assert_allclose(path[:, 0], np.linspace(-3, 3, 25))
    np.testing.assert_allclose(path[:, 1], 0)


def test_the_camera_stays_within_the_room_however_it_shakes():
    shaken = replace(draw_recording(2, 6), shake=50.0)
    path = _camera(shaken, 30, np.random.default_rng(0))
    assert (path.min(), path.max()) == (-MARGIN, MARGIN)


@pytest.mark.parametrize("label", [0, 4])
def test_clips_of_one_group_share_the_room_and_differ_in_what_is_done(label):
    one, mate, other = (calm(label, group, number)[0] for group, number in ((6, 1), (6, 2), (7, 1)))
    sides = np.r_[0 : (WIDTH - HEIGHT) // 2, (WIDTH + HEIGHT) // 2 : WIDTH]
    assert (one[:, sides] == mate[:, sides]).all()
    assert (one != mate).any()
    assert np.abs(one[:, sides] - other[:, sides]).mean() > 5


def test_a_room_tells_nothing_of_the_class_and_half_of_the_groups_are_mirrored():
    rooms = {group: draw_recording(0, group).room.tobytes() for group in GROUPS["train"]}
    assert len(set(rooms.values())) == 8
    for label in range(1, 6):
        assert draw_recording(label, 6).room.tobytes() == rooms[6]
    for groups in GROUPS.values():
        assert np.mean([draw_recording(0, group).mirrored for group in groups]) == 0.5


def test_another_class_in_the_same_room_is_another_person():
    one, other = draw_recording(1, 6), draw_recording(2, 6)
    assert one.look != other.look
    assert one.build != other.build
    assert (one.bias != other.bias).all()
