"""Which frames a sampling gives."""

from data.frames.decode import clip_frames
from data.frames.sampling import Sampling
from tests.data.frames.clips import (
    number_in,
)

ALL = Sampling(every=1)

THREE = Sampling(frames=3)

# floor((i + 1/2) n / 3): 20/6 = 3.3, 60/6 = 10, 100/6 = 16.7; and 3.5, 10.5, 17.5 for 21.
THREE_OF_20, THREE_OF_21 = [3, 10, 16], [3, 10, 17]


def numbers(path, sampling):
    """Positions of a clip's frames, checked against the numbers painted into them."""
    found = list(clip_frames(path, sampling))
    assert [number_in(frame.pixels) for frame in found] == [frame.index for frame in found]
    return [frame.index for frame in found]
