from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from data.embedded import actions as figure_actions
from data.embedded import people_photos as figure_photos
from data.embedded import scenes as figure_places
from data.embedded.actions import Action
from data.embedded.people_clips import draw_clip
from data.embedded.people_photos import draw_sport_photo, draw_studio_photo
from data.embedded.scenes import draw_room, near
from data.images.crop import square


def test_no_picture_of_one_class_equals_another_classs():
    drawn = [draw_studio_photo(label, 1).tobytes() for label in range(6)]
    drawn += [draw_sport_photo(label, 1).tobytes() for label in range(8)]
    drawn += [frame.tobytes() for label in range(6) for frame in draw_clip(label, 5, 1)[0]]
    assert len(set(drawn)) == len(drawn)


def test_the_three_styles_look_different():
    # Brightness and roughness: the median difference of neighbours along the upper edge.
    looks = {}
    for name, pictures in {
        "clips": [Image.fromarray(draw_clip(0, group, 1)[0][0]) for group in range(5, 13)],
        "studio": [draw_studio_photo(label, 1) for label in range(6)],
        "sport": [draw_sport_photo(label, 1) for label in range(8)],
    }.items():
        edges = np.stack([square(picture, 72)[:4] for picture in pictures]).astype(float)
        looks[name] = (edges.mean(), np.median(np.abs(np.diff(edges, axis=2))))
    assert looks["studio"][0] > looks["clips"][0] + 30
    assert looks["studio"][1] == 0
    assert min(looks["clips"][1], looks["sport"][1]) > 1.5


def test_the_studio_figure_is_larger_than_that_of_a_clip():
    # The ground is plain, so pixels that differ from the corner's colour are the figure.
    picture = np.stack([square(draw_studio_photo(1, number), 96) for number in range(1, 9)])
    ink = np.abs(picture.astype(int) - picture[:, :1, :1]).max(axis=3) > 60
    heights = ink.any(axis=2).sum(axis=1) / 96
    assert heights.mean() > 0.65


@pytest.fixture
def painted(monkeypatch):
    """The arguments the photos' figures are painted with, one mapping per photo."""
    seen = []
    monkeypatch.setattr(figure_photos, "paint", lambda *_, **settings: seen.append(settings))
    return seen


@pytest.mark.parametrize(("draw", "edged"), [(draw_studio_photo, True), (draw_sport_photo, False)])
def test_half_of_the_photos_are_mirrored_and_those_of_the_studio_have_edges(draw, edged, painted):
    for number in range(1, 61):
        draw(0, number)
    assert 0.3 < np.mean([settings["mirrored"] for settings in painted]) < 0.7
    assert all((settings["edge"] > 0) is edged for settings in painted)


@pytest.mark.usefixtures("painted")
def test_photos_are_taken_near_the_actions_peak(monkeypatch):
    seen = []
    joints = Action.joints
    monkeypatch.setattr(
        Action, "joints", lambda self, *args: seen.extend(args[0]) or joints(self, *args)
    )
    for number in range(1, 61):
        draw_sport_photo(list(figure_actions.SPORTS).index("Throwing"), number)
    assert np.mean(seen) == pytest.approx(0.1, abs=0.05)
    assert np.std(seen) == pytest.approx(0.12, abs=0.03)


@pytest.mark.parametrize(
    ("actions", "name", "draw"),
    [
        (figure_actions.EXERCISES, "PullUps", lambda: draw_clip(3, 5, 1)[0]),
        (figure_actions.EXERCISES, "PullUps", lambda: draw_studio_photo(3, 1)),
        (figure_actions.SPORTS, "Cycling", lambda: draw_sport_photo(1, 1)),
    ],
    ids=["clip", "studio", "sport"],
)
def test_what_an_action_needs_is_in_the_picture(actions, name, draw, monkeypatch):
    whole = np.asarray(draw(), int)
    monkeypatch.setitem(actions, name, replace(actions[name], props=lambda joints: []))
    bare = np.asarray(draw(), int)
    assert (np.abs(whole - bare).max(axis=-1) > 30).mean() > 0.01


def test_rooms_are_rough_and_full_of_things(monkeypatch):
    room = np.asarray(draw_room((240, 180), np.random.default_rng(3)), float)
    assert np.std(room[:30, :30].mean(axis=2)) > 1
    monkeypatch.setattr(figure_places, "CLUTTER", 0)
    bare = np.asarray(draw_room((240, 180), np.random.default_rng(3)), float)
    assert 0.05 < (np.abs(room - bare).max(axis=2) > 5).mean() < 0.8


@pytest.mark.parametrize(
    ("draw", "widths", "heights"),
    [
        (draw_studio_photo, (96, 144), (96, 120)),
        (draw_sport_photo, (104, 128), (84, 104)),
    ],
)
def test_photos_vary_in_size_within_what_is_said(draw, widths, heights):
    sizes = np.array([draw(0, number).size for number in range(1, 25)])
    assert (sizes.min(axis=0) >= (widths[0], heights[0])).all()
    assert (sizes.max(axis=0) <= (widths[1], heights[1])).all()
    assert (np.ptp(sizes, axis=0) > 8).all()


def test_a_near_colour_is_lighter_or_darker_with_a_little_tint():
    rng = np.random.default_rng(0)
    colours = np.array([near((128, 128, 128), 20, rng) for _ in range(2000)])
    brightness = colours.mean(axis=1)
    assert brightness.mean() == pytest.approx(128, abs=1.5)
    # One shift for all channels and a third of a tint of .35 each: 20 * sqrt(1 + .35**2 / 3).
    assert brightness.std() == pytest.approx(20.4, abs=1)
    # The part specific to a channel: 20 * .35 * sqrt(2 / 3).
    assert (colours - brightness[:, np.newaxis]).std() == pytest.approx(5.7, abs=0.3)
    assert near((255, 0, 255), 0, rng) == (255, 0, 255)
