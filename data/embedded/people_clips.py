"""Clips of drawn people: a cluttered room, an unsteady camera and a repeated action.

The clips of a group come from one recording: they share the person, room, light and camera, and
differ in the action's phase and pace. Every class is recorded in the same rooms, so that a room
gives no hint of the class. A clip depends only on its class, group and number: with the same
versions of numpy, Pillow and PyAV on the same kind of machine, its bytes are the same.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from data.embedded.actions import EXERCISES, Action
from data.embedded.scenes import draw_room, random_colour, random_skin
from data.embedded.skeleton import Build, Floats, Look, figure_strokes, paint, random_build

WIDTH, HEIGHT = 96, 72
OVER = 3  # supersampling factor: scenes are painted larger, then averaged
MARGIN = 8  # pixels of room beyond each side of the frame
FRAMES = (24, 48)
RATES = (Fraction(25, 2), Fraction(25))
CYCLES_PER_S = (0.4, 0.9)
# Separate seeds, because the generators of (1, 2) and (1, 2, 0) would be the same.
ROOM_SEED, RECORDING_SEED, CLIP_SEED, STILL_SEED = 7_101, 7_102, 7_103, 7_104
QUANTISER = 5  # 1 to 31; grain and block artefacts as in web clips
KEY_FRAME_EVERY = 12


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Properties shared by the clips of a group.

    Attributes:
        action: the action performed.
        room: background in RGB, OVER times the size of the frame with its margins.
        build: build of the person.
        look: clothes of the person.
        height: height of the person, in pixels.
        middle: centre (x, y) of the action in the frame, in pixels.
        bias: offsets [10] of the person's limbs from the poses, in degrees.
        mirrored: whether left and right are swapped.
        pan: distance (x, y) the camera pans in a clip, in pixels.
        shake: standard deviation of the camera's steps, in pixels.
        gain: gain of the light in red, green and blue.
        grain: standard deviation of the noise, in levels.
        rate: frames per second.
    """

    action: Action
    room: Image.Image
    build: Build
    look: Look
    height: float
    middle: Floats
    bias: Floats
    mirrored: bool
    pan: Floats
    shake: float
    gain: Floats
    grain: float
    rate: Fraction


def draw_recording(label: int, group: int) -> Recording:
    """The person, room, light and camera of a group.

    Args:
        label: position in EXERCISES.
        group: group number; another class has another person in the same room.
    """
    rng = np.random.default_rng((RECORDING_SEED, label, group))
    size = ((WIDTH + 2 * MARGIN) * OVER, (HEIGHT + 2 * MARGIN) * OVER)
    action = tuple(EXERCISES.values())[label]
    return Recording(
        action=action,
        room=draw_room(size, np.random.default_rng((ROOM_SEED, group))),
        build=random_build(rng, action.random_breadth(rng)),
        look=_random_look(rng),
        height=HEIGHT * rng.uniform(0.62, 0.74),
        middle=np.array([WIDTH, HEIGHT]) / 2 + rng.normal(0, 1, size=2),
        bias=rng.normal(0, 4, size=10),
        mirrored=group % 2 == 1,
        pan=rng.normal(0, 1.5, size=2),
        shake=rng.uniform(0.1, 0.6),
        gain=rng.uniform(0.75, 1.15) * rng.normal(1, 0.03, size=3),
        grain=rng.uniform(1.5, 4.5),
        rate=RATES[rng.integers(len(RATES))],
    )


def draw_clip(label: int, group: int, number: int) -> tuple[npt.NDArray[np.uint8], Fraction]:
    """Draw a clip.

    Args:
        label: position in EXERCISES.
        group: group number, as in `draw_recording`.
        number: number of the clip in its group.

    Returns:
        RGB frames, uint8 [T, 72, 96, 3] with T from FRAMES[0] to FRAMES[1], and frames per second.
    """
    recording = draw_recording(label, group)
    rng = np.random.default_rng((CLIP_SEED, label, group, number))
    count = int(rng.integers(FRAMES[0], FRAMES[1] + 1))
    pace = rng.uniform(*CYCLES_PER_S) / float(recording.rate)
    phases = rng.random() + pace * np.arange(count, dtype=np.float64)
    joints = recording.action.joints(phases, recording.build, recording.bias)
    camera = _camera(recording, count, rng)
    scenes = [_scene(recording, *moment) for moment in zip(joints, camera, strict=True)]
    grain = recording.grain * rng.standard_normal((count, HEIGHT, WIDTH, 1), dtype=np.float32)
    lit = np.stack(scenes) * recording.gain.astype(np.float32) + grain
    return np.rint(lit.clip(0, 255)).astype(np.uint8), recording.rate


def draw_still(label: int, group: int) -> Image.Image:
    """One moment of a recording, RGB of 96 x 72 pixels.

    Args:
        label: position in EXERCISES.
        group: see draw_recording.
    """
    recording = draw_recording(label, group)
    rng = np.random.default_rng((STILL_SEED, label, group))
    (joints,) = recording.action.joints(rng.random(1), recording.build, recording.bias)
    scene = _scene(recording, joints, np.zeros(2))
    grain = recording.grain * rng.standard_normal((HEIGHT, WIDTH, 1), dtype=np.float32)
    lit = scene * recording.gain.astype(np.float32) + grain
    return Image.fromarray(np.rint(lit.clip(0, 255)).astype(np.uint8))


def encode(frames: npt.NDArray[np.uint8], rate: Fraction, path: Path) -> None:
    """Write RGB frames [T, H, W, 3] in UCF101's format: MPEG-4 (XviD) in AVI."""
    import av  # noqa: PLC0415 - slow, and only needed here

    with av.open(str(path), "w", format="avi", container_options={"fflags": "+bitexact"}) as file:
        stream = file.add_stream("mpeg4", rate=rate)
        stream.width, stream.height = frames.shape[2], frames.shape[1]
        stream.pix_fmt = "yuv420p"
        codec = stream.codec_context
        codec.thread_count = 1
        codec.codec_tag = "XVID"
        codec.qmin = codec.qmax = QUANTISER
        codec.gop_size = KEY_FRAME_EVERY
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode())


def _camera(recording: Recording, count: int, rng: np.random.Generator) -> Floats:
    """Offset of the camera in each frame, pixels [T, 2], within the margin."""
    turn = np.linspace(-0.5, 0.5, count)[:, np.newaxis] * recording.pan
    steps = rng.normal(0, recording.shake, size=(2, count))
    smooth = [np.convolve(axis, np.full(4, 0.5), mode="same") for axis in steps]
    path: Floats = turn + np.stack(smooth, axis=1)
    return path.clip(-MARGIN, MARGIN)


def _scene(recording: Recording, joints: Floats, camera: Floats) -> npt.NDArray[np.uint8]:
    """One frame before light and noise, uint8 [72, 96, 3]."""
    left, top = np.rint((camera + MARGIN) * OVER).astype(int).tolist()
    scene = recording.room.crop((left, top, left + WIDTH * OVER, top + HEIGHT * OVER))
    x, y = (recording.middle + MARGIN) * OVER
    paint(
        scene,
        [
            *recording.action.props(joints),
            *figure_strokes(joints, recording.build, recording.look),
        ],
        height=recording.height * OVER,
        middle=(x - left, y - top),
        mirrored=recording.mirrored,
    )
    return np.asarray(scene.reduce(OVER))


def _random_look(rng: np.random.Generator) -> Look:
    """Random clothes, darker than most rooms."""
    return Look(
        skin=random_skin(rng),
        hair=random_colour(rng, 15, 60),
        shirt=random_colour(rng, 15, 130),
        trousers=random_colour(rng, 15, 110),
        shoes=random_colour(rng, 20, 220),
        sleeves=bool(rng.random() < 0.4),
        long_legs=bool(rng.random() < 0.6),
        thickness=rng.uniform(1.1, 1.3),
    )
