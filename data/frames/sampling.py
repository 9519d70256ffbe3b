"""Which frames of a clip to take."""

from collections.abc import Sequence
from dataclasses import dataclass

from data.errors import DataError

USUAL_FRAMES = 10
"""Default number of frames per clip."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which frames of a clip to take.

    Attributes:
        frames: number of frames, taken from the middles of as many equal parts; all frames of a
            shorter clip.
        every: interval between the frames taken, starting with the first.

    Raises:
        DataError: unless exactly one of the two is given and is at least 1.
    """

    frames: int | None = None
    every: int | None = None

    def __post_init__(self) -> None:
        """Check that exactly one is given and is at least 1."""
        given = [number for number in (self.frames, self.every) if number is not None]
        if len(given) != 1 or given[0] < 1:
            raise DataError(
                "Expected either frames or every, at least 1, "
                f"found frames={self.frames}, every={self.every}: give one of them."
            )

    def positions(self, count: int) -> Sequence[int]:
        """Positions to take from a clip of `count` frames, ascending and distinct.

        The i-th of N frames is at floor((i + 1/2) count / N).
        """
        if self.frames is None:
            return range(0, count, self.every or 1)
        parts = 2 * self.frames
        return sorted({(2 * part + 1) * count // parts for part in range(self.frames)})
