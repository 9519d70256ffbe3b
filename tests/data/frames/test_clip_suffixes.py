"""Suffixes and containers of clips."""

import itertools
import subprocess
import sys

import av
import numpy as np
import pytest

from data.frames.decode import clip_frames
from data.suffixes import CLIP_SUFFIXES
from tests.data.frames.clips import (
    RATE,
)
from tests.data.frames.numbered import ALL


def test_a_process_that_extracts_does_not_load_torch():
    code = "import sys, data.frames.store; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


OTHER_NAMES = {".qt", ".divx", ".rmvb", ".mpe", ".m1v", ".m2v", ".mpv", ".vob", ".mod", ".tod"} | {
    *(".ogm", ".ogv", ".amv")
}
"""Suffixes of containers that FFmpeg lists under other suffixes."""

NO_VIDEO = {".m4a", ".m4b", ".mka", ".mks", ".isma", ".wma", ".ism"}


def test_the_suffixes_are_those_of_the_containers_that_are_read():
    read = set()
    for name in av.formats_available:
        try:
            container = av.ContainerFormat(name)
        except ValueError:
            continue
        if container.is_input:
            read |= {f".{suffix}" for suffix in container.extensions}
    assert read | OTHER_NAMES >= CLIP_SUFFIXES
    usual = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpeg", "mpegts", "asf", "flv")
    for name in usual:
        suffixes = {f".{suffix}" for suffix in av.ContainerFormat(name).extensions}
        assert suffixes - NO_VIDEO - {".avif", ".heic", ".heif"} <= CLIP_SUFFIXES


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.m4v", "mpeg4"), ("a.3gp", "mpeg4"), ("a.mts", "mpeg2video"), ("a.m2v", "mpeg2video"),
        ("a.vob", "mpeg2video"), ("a.wmv", "msmpeg4"), ("a.flv", "flv1"), ("a.dv", "dvvideo"),
        ("a.mjpeg", "mjpeg"), ("a.y4m", "wrapped_avframe"), ("a.nut", "ffv1"), ("a.ogv", "theora"),
        ("a.h264", "libx264"), ("a.ivf", "libvpx-vp9"), ("a.gif", "gif"), ("a.mxf", "mpeg2video"),
    ],
)  # fmt: skip
def test_clips_of_every_kind_are_read(tmp_path, name, codec):
    size, form = (128, 96), "yuv420p"
    if codec == "dvvideo":
        size, form = (720, 576), "yuv420p"
    elif codec in ("mjpeg", "gif"):
        form = {"mjpeg": "yuvj420p", "gif": "rgb8"}[codec]
    try:
        container = av.open(str(tmp_path / name), "w")
        stream = container.add_stream(codec, rate=RATE)
    except (ValueError, av.FFmpegError):
        pytest.skip(f"FFmpeg without {codec}")
    with container:
        stream.width, stream.height, stream.pix_fmt = *size, form
        for number in range(5):
            pixels = np.full((size[1], size[0], 3), number * 40 + 20, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    found = list(clip_frames(tmp_path / name, ALL))
    levels = [int(frame.pixels.mean()) for frame in found]
    assert levels == pytest.approx([20, 60, 100, 140, 180], abs=20)
    assert all(later.time_s > frame.time_s for frame, later in itertools.pairwise(found))
