"""Clips that are none, cut short, or damaged."""

import av
import numpy as np
import pytest

from data.errors import DataError
from data.frames.decode import clip_frames
from tests.data.frames.clips import (
    cut,
    rewrite_packets,
    set_announced,
    write_clip,
)
from tests.data.frames.numbered import ALL, THREE, THREE_OF_20, numbers


def audio_only(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        samples.rate = 8000
        container.mux(stream.encode(samples))
        container.mux(stream.encode())


DAMAGES = {
    "no bytes": (lambda path: path.write_bytes(b""), "an unreadable file .Invalid data"),
    "text": (lambda path: path.write_text("Not a video.\n" * 99), "an unreadable file"),
    "its first bytes": (lambda path: cut(path, 0.001), "an unreadable file"),
    "cut at 40 %": (lambda path: cut(path, 0.4), r"packet \d+ cut short"),
    "cut at 60 %": (lambda path: cut(path, 0.6), r"packet \d+ cut short"),
    "nothing": (lambda path: path.unlink(), "No such file or directory"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
    "sound": (audio_only, "no video that can be decoded"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("sampling", [THREE, ALL], ids=str)
def test_a_clip_that_is_none_is_told_in_one_line(tmp_path, capfd, sampling, damage):
    path = write_clip(tmp_path / "a.avi", 200)
    change, message = DAMAGES[damage]
    change(path)
    with pytest.raises(DataError, match=message) as caught:
        list(clip_frames(path, sampling))
    assert str(caught.value).startswith(f"{path}: expected ")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def chunk_starts(body):
    """Offsets of the video chunks of an AVI file."""
    starts, start = [], body.index(b"movi") + 4
    while body[start : start + 4] == b"00dc":
        starts.append(start)
        size = int.from_bytes(body[start + 4 : start + 8], "little")
        start += 8 + size + size % 2
    return starts


@pytest.mark.parametrize(
    ("kept", "sampling"), [(15, THREE), (18, THREE), (15, ALL), (18, ALL)], ids=str
)
def test_a_clip_cut_between_two_packets_is_cut_short(tmp_path, kept, sampling):
    path = write_clip(tmp_path / "a.avi", 20)
    body = path.read_bytes()
    assert len(chunk_starts(body)) == 20
    path.write_bytes(body[: chunk_starts(body)[kept]])
    with pytest.raises(DataError, match=f"expected a complete clip, found {kept} of 20 packets"):
        list(clip_frames(path, sampling))


def test_a_clip_that_lost_its_index_alone_is_whole(tmp_path):
    path = write_clip(tmp_path / "a.avi", 20)
    body = path.read_bytes()
    path.write_bytes(body[: body.index(b"idx1")])
    assert numbers(path, THREE) == THREE_OF_20


def test_a_clip_that_lacks_a_packet_which_its_index_lists_is_not_whole(tmp_path):
    path = set_announced(write_clip(tmp_path / "a.avi", 20), 0)
    body = bytearray(path.read_bytes())
    start = chunk_starts(body)[7]
    body[start : start + 4] = b"JUNK"
    path.write_bytes(body)
    with pytest.raises(DataError, match="expected a complete clip, found 19 of 20 packets"):
        list(clip_frames(path, THREE))


def test_a_clip_without_a_packet_is_none(tmp_path):
    path = set_announced(write_clip(tmp_path / "a.avi", 20), 0)
    body = path.read_bytes()
    path.write_bytes(body[: chunk_starts(body)[0]])
    for sampling in (THREE, ALL):
        with pytest.raises(DataError, match="expected a video clip, found one without frames"):
            list(clip_frames(path, sampling))


def test_a_clip_whose_index_comes_first_is_missed_the_packets_that_it_lists(tmp_path):
    path = cut(write_clip(tmp_path / "a.mp4", 200, movflags="faststart"), 0.8)
    with pytest.raises(DataError, match="expected a complete clip"):
        list(clip_frames(path, THREE))


@pytest.mark.parametrize("sampling", [THREE, ALL], ids=str)
def test_damaged_frames_are_not_taken_even_if_the_decoder_hides_the_damage(tmp_path, sampling):
    def change(packets):
        half = len(packets[5]) // 2
        packets[5] = packets[5][:half] + b"\x00" * (len(packets[5]) - half)
        return packets

    path = rewrite_packets(write_clip(tmp_path / "a.avi", 20), change)
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 20
    with pytest.raises(DataError, match="found damage in packet 5"):
        list(clip_frames(path, sampling))
