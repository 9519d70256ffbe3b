"""Presentation times of a clip's frames."""

from fractions import Fraction

from av.video.frame import VideoFrame


class Clock:
    """Strictly increasing times of a clip's frames, in display order.

    The first frame decides which timestamps of the container are used: presentation times if it has
    one, else decoding times. A frame without such a timestamp, or with one that is not later than
    the previous frame's, is placed one frame after the previous one.

    Args:
        tick: unit of the timestamps, in seconds.
        rate: frames per second, for frames without a duration.
    """

    def __init__(self, tick: Fraction, rate: Fraction) -> None:
        self._tick, self._length = tick, 1 / (rate * tick)
        self._kind = ""
        self._now: int | Fraction = 0
        self._next: int | Fraction = 0

    def time_s(self, frame: VideoFrame) -> float:
        """Time of the next frame, in seconds."""
        first = not self._kind
        if first:
            self._kind = "dts" if frame.pts is None else "pts"
        stamp: int | None = getattr(frame, self._kind)
        later = stamp is not None and (first or stamp > self._now)
        self._now = stamp if stamp is not None and later else self._next
        self._next = self._now + (frame.duration or self._length)
        return float(self._now * self._tick)
