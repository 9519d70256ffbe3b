"""Decoding of selected frames of a video clip in one sequential pass."""

import itertools
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from data.errors import DataError
from data.frames.clock import Clock
from data.frames.sampling import Sampling
from data.frames.upright import Pixels, Upright

# A packet that repeats the previous picture takes a few bytes and may give no frame; one with a
# picture is larger.
_TINY = 16
_NEVER = sys.maxsize

# The presentation times that FFmpeg generates for AVI files with B-frames jump back and forth;
# without them, decoding times are used, which do not.
_OPTIONS = {"fflags": "-genpts"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One frame of a clip.

    Attributes:
        index: position in display order, from 0.
        time_s: presentation time in seconds, later than the previous frame's (see `Clock`).
        pixels: uint8 [H, W, 3], RGB, upright, with square pixels (see `Upright`).
    """

    index: int
    time_s: float
    pixels: Pixels


def clip_frames(path: Path, sampling: Sampling) -> Iterator[Frame]:
    """Decode the selected frames of a clip, in display order.

    One single-threaded pass; only selected frames are converted to RGB, and packets after the last
    one are read but not decoded. Positions count decoded frames, so a wrong frame count in the
    header costs a second pass.

    A clip is damaged if a packet or frame is marked corrupt, and truncated if it has fewer packets
    than its index or header says; if these differ and the index fits, the header is wrong. Matroska
    and MPEG transport streams give no count, so whatever they have is used.

    Args:
        path: clip in any container and codec that FFmpeg reads.
        sampling: which frames to take.

    Yields:
        At least one frame. A clip may turn out to be damaged after some frames; discard them then.

    Raises:
        DataError: if the clip cannot be read, has no video, or is damaged or truncated; the text
            is "path: reason".
    """
    if sampling.every is not None:
        yield from _decode(path, lambda _: itertools.count(0, sampling.every or 1))
    else:
        yield from _evenly(path, sampling)


def _evenly(path: Path, sampling: Sampling) -> list[Frame]:
    # A header without a count costs one decoded frame, after which the packets are counted.
    frames, count = _collect(_decode(path, lambda clip: sampling.positions(clip.header)))
    if count is None:
        _, count = _collect(_decode(path, lambda _: [_NEVER]))
    positions = sampling.positions(count or 0)
    if [frame.index for frame in frames] != positions:
        frames, _ = _collect(_decode(path, lambda _: positions))
    return frames


def _collect(frames: Generator[Frame, None, int | None]) -> tuple[list[Frame], int | None]:
    kept: list[Frame] = []
    while True:
        try:
            kept.append(next(frames))
        except StopIteration as end:
            return kept, end.value


def _decode(
    path: Path, wanted: Callable[["_Clip"], Iterable[int]]
) -> Generator[Frame, None, int | None]:
    """Yield the frames at the wanted positions; return the clip's frame count, None if unknown."""
    with _opened(path) as clip:
        ahead = iter(wanted(clip))
        position = next(ahead)
        given = 0
        for frame in clip.frames():
            time_s = clip.clock.time_s(frame)
            if given == position:
                yield Frame(index=given, time_s=time_s, pixels=clip.upright.pixels(frame))
                position = next(ahead, _NEVER)
                if position == _NEVER and clip.is_regular(given + 1):
                    count = clip.count_packets()
                    return None if clip.tiny else count
            given += 1
    if not given:
        raise DataError(f"{path}: expected a video clip, found one without frames: remove it.")
    return given


class _Clip:
    """An open clip; its packets can be read only once."""

    def __init__(self, path: Path, container: InputContainer) -> None:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream) or stream.codec_context is None:
            raise DataError(
                f"{path}: expected a video clip, found no video that can be decoded: remove it."
            )
        # Clips are decoded in parallel, so threads within one clip do not help.
        stream.codec_context.thread_count = 1
        self.header, self.tiny = stream.frames, False
        self._path = path
        self._listed = len(stream.index_entries)
        self._packets = container.demux(stream)
        self._sent = 0
        self._stream = stream
        self.clock = Clock(stream.time_base or Fraction(1), stream.guessed_rate or Fraction(1))
        self.upright = Upright(path, stream.sample_aspect_ratio)

    def frames(self) -> Iterator[VideoFrame]:
        """Decode all frames, one by one."""
        decode = self._stream.codec_context.decode
        for packet in self._packets:
            if self._take(packet):
                yield from self._whole(decode(packet))
        self._check_end()
        yield from self._whole(decode(None))

    def count_packets(self) -> int:
        """Read the remaining packets; return the number of packets in the clip."""
        for packet in self._packets:
            self._take(packet)
        self._check_end()
        return self._sent

    def _take(self, packet: "Packet[VideoStream]") -> bool:  # only the stub is generic
        """Count a packet; return False for an empty one, which marks a dropped frame or the end."""
        size = packet.size
        if packet.is_corrupt:
            raise self._damaged(f"packet {self._sent} cut short")
        if size:
            self._sent += 1
            if size < _TINY:
                self.tiny = True
        return size > 0

    def _whole(self, frames: list[VideoFrame]) -> list[VideoFrame]:
        for frame in frames:
            if frame.is_corrupt:
                raise self._damaged(f"damage in packet {self._sent - 1}")
        return frames

    def _check_end(self) -> None:
        announced = max(self.header, self._listed)
        if self._sent < announced and self._sent != self._listed:
            raise self._damaged(f"{self._sent} of {announced} packets")

    def is_regular(self, given: int) -> bool:
        """Whether every packet so far gave one frame, or will after reordering."""
        return not self.tiny and self._sent - given == self._stream.codec_context.reorder_depth

    def _damaged(self, found: str) -> DataError:
        return DataError(
            f"{self._path}: expected a complete clip, found {found}: copy it again or remove it."
        )


@contextmanager
def _opened(path: Path) -> Iterator[_Clip]:
    # Without "file:", a name with a colon would be taken for a protocol.
    url = f"file:{path}"
    try:
        with av.open(url, container_options=_OPTIONS, metadata_errors="replace") as container:
            yield _Clip(path, container)
    except av.FFmpegError as error:
        raise DataError(
            f"{path}: expected a video clip, found an unreadable file ({error.strerror}): "
            "replace or remove it."
        ) from error
