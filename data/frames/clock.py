"""When the frames of a clip are shown, by one clock."""

from fractions import Fraction

from av.video.frame import VideoFrame


class Clock:
    """Times of a clip's frames, in the order of display, which never stand still or run back.

    The first frame decides which of the container's timestamps count: those of presentation, else
    those of decoding. A frame that has none of that kind, or one that is no later than the time
    of the frame before it, comes one frame after that.

    Args:
        tick: the unit of timestamps, seconds.
        rate: frames a second, where a frame does not say how long it is shown.
    """

    def __init__(self, tick: Fraction, rate: Fraction) -> None:
        self._tick, self._length = tick, 1 / (rate * tick)
        self._kind = ""
        self._now: int | Fraction = 0
        self._next: int | Fraction = 0

    def time_s(self, frame: VideoFrame) -> float:
        """The time of the next frame, seconds."""
        first = not self._kind
        if first:
            self._kind = "dts" if frame.pts is None else "pts"
        stamp: int | None = getattr(frame, self._kind)
        later = stamp is not None and (first or stamp > self._now)
        self._now = stamp if stamp is not None and later else self._next
        self._next = self._now + (frame.duration or self._length)
        return float(self._now * self._tick)
