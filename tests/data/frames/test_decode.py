"""The frames of a clip: positions, times, pixels, no more work than needed."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import DataError
from data.frames import upright
from data.frames.decode import clip_frames
from data.frames.sampling import Sampling
from tests.data.frames.clips import (
    RATE,
    not_coded,
    number_in,
    pack_b_frames,
    rewrite_packets,
    set_announced,
    write_clip,
)
from tests.data.frames.numbered import ALL, THREE, THREE_OF_20, THREE_OF_21, numbers

H264 = "libx264" in av.codecs_available


@pytest.mark.parametrize(
    ("sampling", "count", "positions"),
    [
        # 10/8 = 1.25, 30/8 = 3.75, 50/8 = 6.25, 70/8 = 8.75
        (Sampling(frames=4), 10, [1, 3, 6, 8]),
        (Sampling(frames=1), 10, [5]),
        (Sampling(frames=1), 1, [0]),
        (Sampling(frames=10), 3, [0, 1, 2]),
        (Sampling(every=3), 8, [0, 3, 6]),
        (Sampling(every=9), 8, [0]),
    ],
)
def test_the_wanted_positions_are_those_of_the_definition(sampling, count, positions):
    assert list(sampling.positions(count)) == positions


@given(parts=st.integers(1, 40), count=st.integers(1, 500))
def test_each_part_of_a_clip_gives_its_middle_frame_and_a_short_clip_all_its_frames(parts, count):
    positions = Sampling(frames=parts).positions(count)
    if count <= parts:
        assert positions == list(range(count))
    else:
        assert len(positions) == parts
        for part, position in enumerate(positions):
            middle = Fraction(2 * part + 1, 2 * parts) * count
            assert position <= middle < position + 1
        # Reversed in time, they are the same up to rounding.
        mirrored = [count - 1 - position for position in reversed(positions)]
        assert np.abs(np.subtract(positions, mirrored)).max() <= 1


@pytest.mark.parametrize(
    "given", [{}, {"frames": 1, "every": 1}, {"frames": 0}, {"every": -1}], ids=str
)
def test_a_sampling_is_one_number_of_at_least_one(given):
    with pytest.raises(DataError, match="Expected either frames or every, at least 1, found"):
        Sampling(**given)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("a.avi", {}),
        ("a.avi", {"b_frames": 2}),
        ("a.mp4", {"b_frames": 2}),
        # Matroska does not give the number of frames.
        ("a.mkv", {"b_frames": 2}),
        ("a.mov", {"codec": "mjpeg", "pixel_format": "yuvj420p"}),
        ("a.mkv", {"codec": "ffv1", "pixel_format": "yuv444p10le"}),
        ("a.avi", {"codec": "ffv1", "pixel_format": "gray"}),
        pytest.param("a.mp4", {"codec": "libx264"}, marks=pytest.mark.skipif(not H264, reason="")),
        pytest.param("a.ts", {"codec": "libx264"}, marks=pytest.mark.skipif(not H264, reason="")),
    ],
    ids=str,
)
def test_frames_are_those_at_their_positions_whatever_the_container_and_codec(
    tmp_path, name, settings
):
    path = write_clip(tmp_path / name, 20, **settings)
    assert numbers(path, THREE) == THREE_OF_20
    assert numbers(path, Sampling(every=6)) == [0, 6, 12, 18]
    assert numbers(path, Sampling(frames=50)) == list(range(20))


@pytest.mark.parametrize("settings", [{}, {"b_frames": 2}], ids=str)
def test_pixels_are_those_of_decoding_and_converting_every_frame(tmp_path, settings):
    path = write_clip(tmp_path / "a.avi", 20, **settings)
    with av.open(str(path)) as container:
        plain = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for sampling in (THREE, Sampling(every=7)):
        for frame in clip_frames(path, sampling):
            assert frame.pixels.dtype == np.uint8
            assert np.array_equal(frame.pixels, plain[frame.index])


TICKS = [0, 1, 2, 3, 8, 9, 10, 15, 16, 30]


@pytest.mark.parametrize(
    ("name", "b_frames"), [("a.avi", 0), ("a.mp4", 0), ("a.mp4", 2), ("a.mkv", 0), ("a.mkv", 2)]
)
def test_times_are_the_containers_also_where_frames_were_dropped(tmp_path, name, b_frames):
    path = write_clip(tmp_path / name, ticks=TICKS, b_frames=b_frames)
    found = list(clip_frames(path, ALL))
    assert [frame.index for frame in found] == list(range(10))
    assert [frame.time_s for frame in found] == pytest.approx([tick / RATE for tick in TICKS])
    # The header of an AVI file counts dropped frames too.
    assert numbers(path, Sampling(frames=2)) == [2, 7]


def test_times_are_those_of_decoding_where_the_container_has_no_others(tmp_path):
    path = write_clip(tmp_path / "a.avi", ticks=TICKS, b_frames=2)
    times = [frame.time_s for frame in clip_frames(path, ALL)]
    # A frame is decoded one later than it is shown; the last has no packet, so it is placed one
    # frame after the previous one.
    assert times[:-1] == pytest.approx([(tick + 1) / RATE for tick in TICKS[:-1]])
    assert times[-1] == pytest.approx(times[-2] + 1 / RATE)


def test_b_frames_packed_as_xvid_does_are_given_in_the_order_of_display(tmp_path):
    path = rewrite_packets(write_clip(tmp_path / "a.avi", 20, b_frames=2), pack_b_frames)
    assert numbers(path, THREE) == THREE_OF_20
    assert numbers(path, ALL) == list(range(20))
    times = [frame.time_s for frame in clip_frames(path, ALL)]
    assert times == sorted(times)
    assert times == pytest.approx([i / RATE for i in range(20)], abs=1.001 / RATE)


@pytest.mark.parametrize("announced", [0, 10, 40])
def test_a_wrong_number_in_the_header_changes_nothing(tmp_path, announced):
    path = set_announced(write_clip(tmp_path / "a.avi", 20), announced)
    assert numbers(path, THREE) == THREE_OF_20
    assert numbers(path, ALL) == list(range(20))


@pytest.mark.parametrize(
    ("place", "comment", "count"),
    # Before, between and after the wanted ones. FFmpeg repeats the last picture at the end.
    [(5, b"", 20), (5, b"a long comment", 20), (12, b"", 20), (18, b"", 20), (20, b"", 21)],
)
def test_packets_that_give_no_frame_do_not_count(tmp_path, place, comment, count):
    path = rewrite_packets(
        write_clip(tmp_path / "a.avi", 20),
        lambda packets: [*packets[:place], not_coded(place, comment), *packets[place:]],
    )
    found = [frame.index for frame in clip_frames(path, THREE)]
    assert len(list(clip_frames(path, ALL))) == count
    assert found == {20: THREE_OF_20, 21: THREE_OF_21}[count]


@pytest.mark.parametrize("b_frames", [0, 2])
def test_nothing_after_the_last_wanted_frame_is_decoded(tmp_path, b_frames):
    path = rewrite_packets(
        write_clip(tmp_path / "a.avi", 20, b_frames=b_frames),
        lambda packets: [*packets[:18], b"#" * 99, b"#" * 99],
    )
    assert numbers(path, THREE) == THREE_OF_20
    with pytest.raises(DataError, match="an unreadable file"):
        list(clip_frames(path, ALL))


@pytest.mark.parametrize(
    ("name", "settings", "change", "passes"),
    [
        ("a.avi", {}, list, 1),
        ("a.mp4", {"b_frames": 2}, list, 1),
        ("a.avi", {"b_frames": 2}, pack_b_frames, 1),
        # Matroska: the number of packets is known after a pass.
        ("a.mkv", {}, list, 2),
        ("a.avi", {}, lambda packets: [*packets[:5], not_coded(5), *packets[5:]], 2),
    ],
    ids=["avi", "mp4 with B-frames", "avi with packed B-frames", "mkv", "avi with an empty packet"],
)
def test_a_second_pass_is_taken_only_if_the_first_had_other_positions(
    tmp_path, monkeypatch, name, settings, change, passes
):
    path = write_clip(tmp_path / name, 20, **settings)
    path = path if change is list else rewrite_packets(path, change)
    opened, av_open = [], av.open
    monkeypatch.setattr(av, "open", lambda *a, **k: opened.append(a) or av_open(*a, **k))
    assert [frame.index for frame in clip_frames(path, THREE)] == THREE_OF_20
    assert len(opened) == passes


def test_decoding_starts_no_threads(tmp_path):
    # A codec that would decode slices in parallel.
    path = write_clip(tmp_path / "a.mkv", 20, codec="ffv1")
    before = psutil.Process().num_threads()
    found = clip_frames(path, ALL)
    next(found)
    assert psutil.Process().num_threads() == before
    found.close()


def test_only_wanted_frames_become_rgb_by_one_converter_without_threads(tmp_path, monkeypatch):
    calls = []

    class Counting:
        def __init__(self):
            self.converter = av.video.reformatter.VideoReformatter()

        def reformat(self, frame, **settings):
            calls.append((id(self), settings["threads"]))
            return self.converter.reformat(frame, **settings)

    monkeypatch.setattr(upright, "VideoReformatter", Counting)
    assert numbers(write_clip(tmp_path / "a.avi", 20), THREE) == THREE_OF_20
    assert len(calls) == 3
    assert set(calls) == {(calls[0][0], 1)}


def test_every_nth_frame_is_given_as_it_is_decoded(tmp_path):
    path = rewrite_packets(
        write_clip(tmp_path / "a.avi", 20), lambda packets: [*packets[:15], b"#" * 99]
    )
    found = clip_frames(path, Sampling(every=4))
    assert [next(found).index for _ in range(4)] == [0, 4, 8, 12]
    with pytest.raises(DataError):
        next(found)


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_frames_are_turned_upright(tmp_path, rotation, turns):
    path = write_clip(tmp_path / "a.mp4", 20, rotation=rotation)
    for frame in clip_frames(path, THREE):
        # `rotation` is counter-clockwise, so this undoes it.
        assert number_in(np.rot90(frame.pixels, -turns)) == frame.index


@pytest.mark.parametrize("name", ["a:b.avi", "50%02d.avi", "ä ö.avi"])
def test_any_name_will_do(tmp_path, monkeypatch, name):
    path = write_clip(tmp_path / "a.avi", 20).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert numbers(path, THREE) == numbers(Path(name), THREE) == THREE_OF_20


def test_metadata_that_are_no_text_do_no_harm(tmp_path):
    path = write_clip(tmp_path / "a.avi", 20)
    body = path.read_bytes()
    assert b"Lavf" in body
    path.write_bytes(body.replace(b"Lavf", b"\xe9\xff\xfe\xe8"))
    assert numbers(path, THREE) == THREE_OF_20
