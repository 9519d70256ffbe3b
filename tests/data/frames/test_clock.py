"""Times of frames are strictly increasing."""

import itertools
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.frames.clock import Clock
from data.frames.decode import clip_frames
from data.frames.sampling import Sampling

TICK, RATE = Fraction(1, 100), Fraction(25)


def frame(pts=None, dts=None, duration=0):
    return SimpleNamespace(pts=pts, dts=dts, duration=duration)


def times(*frames):
    clock = Clock(TICK, RATE)
    return [clock.time_s(shown) for shown in frames]


def test_times_are_those_of_presentation():
    assert times(frame(5, 1), frame(9, 2), frame(30, 3)) == [0.05, 0.09, 0.3]


def test_times_are_those_of_decoding_where_the_first_frame_has_no_other():
    assert times(frame(None, 5), frame(2, 9), frame(None, 30)) == [0.05, 0.09, 0.3]


def test_a_frame_without_a_time_comes_one_frame_after_the_one_before_it():
    # A frame takes 4 ticks by the rate; the third has a duration of 10.
    shown = (frame(8), frame(), frame(duration=10), frame(None, 1), frame(50))
    assert times(*shown) == [0.08, 0.12, 0.16, 0.26, 0.5]


def test_without_any_timestamp_the_rate_gives_the_times():
    clock = Clock(Fraction(1, 90_000), Fraction(30_000, 1001))
    found = [clock.time_s(frame()) for _ in range(1000)]
    assert found == [float(place * Fraction(1001, 30_000)) for place in range(1000)]


@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-50, 50), st.none() | st.integers(-50, 50), st.integers(0, 9)
        ),
        min_size=2,
    )
)
def test_time_never_stands_still_or_runs_back(stamps):
    found = times(*(frame(*stamp) for stamp in stamps))
    assert all(later > earlier for earlier, later in itertools.pairwise(found))


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mpg", "mpeg2video"), ("a.mpg", "mpeg1video"), ("a.vob", "mpeg2video"), ("a.ts", "mpeg4")],
)
def test_frames_of_a_stream_with_few_timestamps_follow_each_other(tmp_path, name, codec, b_frames):
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.max_b_frames = b_frames
        for number in range(12):
            pixels = np.full((48, 64, 3), number * 20, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    found = [shown.time_s for shown in clip_frames(path, Sampling(every=1))]
    assert np.diff(found) == pytest.approx([1 / 25] * 11, abs=1e-6)
