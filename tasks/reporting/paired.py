"""Paired differences between rows of the table: over draws, and also over test images."""

from dataclasses import dataclass

from data.counting import counted
from tasks.reporting.measures import Measure, measures
from tasks.reporting.record import Record
from tasks.reporting.result_table import accuracies, rows_of, signed
from tasks.reporting.right_answers import unpacked
from tasks.reporting.stats.crossed import Crossed, Right, crossed
from tasks.reporting.stats.estimates import Estimate, estimate

MARGIN = 1
"""Difference in points below which methods are equally good in practice."""


@dataclass(frozen=True)
class Difference:
    """Test accuracy of one row minus another's on the same draws, in points (per cent).

    Attributes:
        measure: what the accuracy counts.
        k: labelled samples per class in V.
        row: the row subtracted from.
        other: the row subtracted.
        points: estimate over the draws that both have.
        values: difference in each of these draws.
    """

    measure: Measure
    k: int
    row: str
    other: str
    points: Estimate
    values: tuple[float, ...]

    @property
    def names(self) -> str:
        """The two rows compared."""
        return f"{self.row} against {self.other}"

    @property
    def text(self) -> str:
        """Mean, standard error, number of draws, interval and verdict."""
        error = self.points.standard_error
        spread = "" if error is None else f" ± {error:.2f}"
        mean = f"{signed(self.points.mean)}{spread} points over {counted(self.points.n, 'draw')}"
        return f"{mean} ({self.interval_text}): {self.verdict}"

    @property
    def interval_text(self) -> str:
        """The 95 % interval in words, if there is one."""
        if self.points.interval is None:
            return "no interval"
        low, high = self.points.interval
        return f"95 % CI {signed(low)} to {signed(high)}"

    @property
    def higher(self) -> str | None:
        """The row that is significantly higher, or None."""
        if self.points.interval is None:
            return None
        low, high = self.points.interval
        return self.row if low > 0 else self.other if high < 0 else None

    @property
    def finding(self) -> str:
        """The verdict without figures."""
        return self.verdict.partition(", up to")[0]

    @property
    def verdict(self) -> str:
        """Whether the interval tells the rows apart and, if not, how far apart they may be.

        The bound is from two one-sided tests (`Estimate.equality_bound`).
        """
        if self.points.n == 1:
            return "one draw cannot tell"
        if self.points.interval is None:
            return "the same difference in every draw, no interval can be given"
        if self.higher:
            return f"distinguishable, {self.higher} is higher"
        bound = self.points.equality_bound or 0.0
        if bound <= MARGIN:
            return f"the same within {counted(MARGIN, 'point')}"
        return f"cannot tell, up to {bound:.1f} points apart"


def difference(record: Record, measure: Measure, k: int, row: str, other: str) -> Difference | None:
    """`row` minus `other` on the draws that both have; None if there is none."""
    ours, theirs = (accuracies(record, measure, name, k) for name in (row, other))
    shared = sorted(ours.keys() & theirs.keys())
    if row == other or not shared:
        return None
    points = [100 * (ours[draw] - theirs[draw]) for draw in shared]
    return Difference(measure, k, row, other, estimate(points), tuple(points))


def crossed_difference(record: Record, k: int, row: str, other: str) -> Crossed | None:
    """`row` minus `other` over both the shared draws and their test images.

    For clips, clips are resampled. None for one draw, or if answers were not recorded.
    """
    ours, theirs = (_right(record, name, k) for name in (row, other))
    return crossed(ours, theirs)


def _right(record: Record, name: str, k: int) -> dict[int, Right]:
    """Correct answers of one row at one k, by draw."""
    measure = measures(record)[-1]
    return {
        entry.draw: unpacked(entry.right, measure.count(entry) or 0)
        for entry in rows_of(record, name, k)
        if entry.right is not None
    }
