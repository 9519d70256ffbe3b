"""The report's section on paired differences: intervals, tests, and their limits."""

from collections.abc import Mapping, Sequence

from data.counting import counted
from tasks.reporting.measures import (
    Measure,
    main_table,
    measures,
    of_clips,
)
from tasks.reporting.paired import MARGIN, Difference, crossed_difference, difference
from tasks.reporting.record import Record
from tasks.reporting.render.captions import how_to_read, picture
from tasks.reporting.result_table import (
    NONE,
    all_k,
    asked,
    percent,
    reference_row,
    row_names,
    rows_of,
    signed,
)
from tasks.reporting.stats.crossed import RESAMPLES, Crossed
from tasks.reporting.stats.estimates import LEVEL, estimate
from tasks.reporting.stats.paired_tests import WILCOXON_FROM, holm, p_text, t_test, wilcoxon
from tasks.reporting.text_tables import markdown_table

BOTH = "95 % CI, images too"

FEW_DRAWS = 10
"""The paper's number; with fewer, intervals are wide and rely on normality."""


def pairs(record: Record, measure: Measure) -> dict[int, list[Difference]]:
    """The reference row minus each other row by k, in the record's order, without empty ones."""
    reference = reference_row(record)
    if reference is None:
        return {}
    found = {
        k: [
            pair
            for other in row_names(record)
            if (pair := difference(record, measure, k, reference, other))
        ]
        for k in all_k(record)
    }
    return {k: some for k, some in found.items() if some}


def difference_section(record: Record) -> str:
    """Every row against the reference row, draw by draw."""
    reference = reference_row(record)
    found = [by_k for measure in measures(record) if (by_k := pairs(record, measure))]
    # A given V has no draws to pair.
    if record.labelled is not None:
        return ""
    if reference is None or not found or not asked(record, "tables", main_table(record)):
        return ""
    whole = [pair for by_k in found for some in by_k.values() for pair in some]
    both = _over_both(record, whole)
    signed_rank = any(wilcoxon(pair.values) is not None for pair in whole)
    several = len(found) > 1
    return "\n\n".join(
        [
            f"## Paired differences to {reference}",
            f"Test accuracy of {reference} minus the row's, in points, on the same draws: in one "
            "draw all methods have the same V. The interval is Student's t over the draws, p its "
            "two-sided paired test; p (Holm) is corrected for the rows of one k"
            + (" in one table." if several else ".")
            + (" The signed-rank p is Wilcoxon's, exact." if signed_rank else ""),
            _forest(reference, list(found[0]), several=several),
            *(
                part
                for by_k in found
                for part in _table(by_k, both, signed_rank=signed_rank, several=several)
            ),
            *_crossed_words(record, both),
            _verdicts(),
            _caution(record, reference, whole),
            *_unpicked(record, reference),
            how_to_read("differences"),
        ]
    )


def _forest(reference: str, ks: Sequence[int], *, several: bool) -> str:
    of = ", per frame and per video" if several else ""
    there = "The tables below have them." if several else "The table below has them."
    return picture(
        "differences",
        f"Forest plot: {reference} minus each other row in points with 95 % intervals, a panel for "
        f"each k ({', '.join(map(str, ks))}){of}. {there}",
    )


def _over_both(record: Record, found: Sequence[Difference]) -> dict[Difference, Crossed]:
    """Differences over draws and test images, for the measure with recorded answers."""
    measure = measures(record)[-1]
    return {
        pair: both
        for pair in found
        if pair.measure == measure
        and (both := crossed_difference(record, pair.k, pair.row, pair.other))
    }


def _table(
    by_k: Mapping[int, Sequence[Difference]],
    both: Mapping[Difference, Crossed],
    *,
    signed_rank: bool,
    several: bool,
) -> list[str]:
    """The differences by one measure, with its name if there are several."""
    crossed = any(pair in both for some in by_k.values() for pair in some)
    lines = [
        _line(pair, corrected, [_crossed_text(both.get(pair))] * crossed, signed_rank=signed_rank)
        for some in by_k.values()
        for pair, corrected in zip(some, holm([t_test(p.values) for p in some]), strict=True)
    ]
    first = next(iter(by_k.values()))[0]
    header = [f"{first.row} minus", "k", "points", "s.e.", "draws", "95 % CI", "p (t)", "p (Holm)"]
    header += [*(["p (signed rank)"] if signed_rank else []), "by the interval"]
    if crossed:
        header.insert(header.index("95 % CI") + 1, BOTH)
    table = markdown_table(header, lines, left=(0, len(header) - 1))
    return [f"{first.measure.name.capitalize()}:", table] if several else [table]


def _crossed_text(both: Crossed | None) -> str:
    return NONE if both is None else " to ".join(map(signed, both.interval))


def _line(
    pair: Difference, corrected: float | None, crossed: list[str], *, signed_rank: bool
) -> list[str]:
    error = pair.points.standard_error
    return [
        pair.other,
        str(pair.k),
        signed(pair.points.mean),
        NONE if error is None else f"{error:.2f}",
        str(pair.points.n),
        pair.interval_text.removeprefix("95 % CI "),
        *crossed,
        p_text(t_test(pair.values)),
        p_text(corrected),
        *([p_text(wilcoxon(pair.values))] if signed_rank else []),
        pair.verdict.removeprefix("distinguishable, "),
    ]


def _crossed_words(record: Record, both: Mapping[Difference, Crossed]) -> list[str]:
    if not both:
        return []
    noun = measures(record)[-1].noun
    return [
        f"**{BOTH}**: the interval for other draws and other test {noun}s, not only other draws: a "
        f"bootstrap in which draws and {noun}s are resampled with replacement, each {noun} with "
        f"its answers in all draws ({RESAMPLES:,} times, seed 0), as a t interval with the degrees "
        "of freedom of the draws. A claim about new data needs this one."
    ]


def _verdicts() -> str:
    return (
        f'"The same within {counted(MARGIN, "point")}" and "up to x points apart" are '
        "bounds of two "
        "one-sided tests at 5 % (TOST): a difference beyond them is excluded, one within is not."
    )


def _caution(record: Record, reference: str, found: list[Difference]) -> str:
    """Limits of intervals and tests, in terms of the coarsest measure."""
    measure = measures(record)[-1]
    entry = next(row for row in record.rows if row.row == reference)
    share, count = measure.accuracy(entry) or 0.0, measure.count(entry) or 0
    alike = "; clips of one recording are alike, so that it is larger" if of_clips(record) else ""
    said = [
        *_few(max(pair.points.n for pair in found)),
        *_many(sum(pair.points.interval is not None for pair in found)),
        "The spread over draws holds V and the seed of the training, not the choice of test "
        f"{measure.noun}s: with {count:,} of them, an accuracy of {percent(share)} % alone has a "
        f"binomial standard error of {100 * sqrt_share(share, count):.2f} points{alike}.",
        "The paper's V draws are not ours, so its figures cannot be paired with these.",
    ]
    return " ".join(said)


def _unpicked(record: Record, reference: str) -> list[str]:
    """What the reference row gains from being the best of a grid, by k and measure."""
    found = measures(record)
    said = [
        f"{text}{f' {measure.name}' if len(found) > 1 else ''}"
        for k in all_k(record)
        for measure in found
        if (text := _blind(record, measure, reference, k))
    ]
    if not said:
        return []
    return [
        f"**Tuned unequally:** {reference} is the best cell of a grid, which other rows do not "
        "have. A cell picked at random has, on average over the grid and the same draws, "
        f"{'; '.join(said)}."
    ]


def _blind(record: Record, measure: Measure, reference: str, k: int) -> str:
    """Mean of the grid's cells at one k; empty unless all of them are scored."""
    cells = [cell for cell in record.cells if cell.k == k]
    scores = [100 * share for cell in cells if (share := measure.accuracy(cell))]
    chosen = rows_of(record, reference, k)
    picked = [100 * share for row in chosen if (share := measure.accuracy(row)) is not None]
    if len(scores) != len(cells) or len(cells) <= len(picked) or not picked:
        return ""
    mean, kept = estimate(scores).mean, estimate(picked).mean
    return f"{mean:.2f} % at k = {k} ({signed(mean - kept)} against the row)"


def sqrt_share(share: float, n: int) -> float:
    """Binomial standard error of a share of n."""
    return float((share * (1 - share) / n) ** 0.5)


def _few(most: int) -> list[str]:
    if most == 1:
        return ["One draw proves nothing: it gives no standard error, no interval and no p."]
    if most >= FEW_DRAWS:
        return []
    said = (
        f"{counted(most, 'draw')} {'proves' if most == 1 else 'prove'} nothing by "
        f"{'itself' if most == 1 else 'themselves'}: an interval or a p over so few differences is "
        "wide and relies on their being normal."
    )
    if most < WILCOXON_FROM:
        # Under equality, equal signs have probability 2 / 2^n.
        return [f"{said} A test of signs or ranks alone could not go below p = {2 / 2**most:g}."]
    return [said]


def _many(intervals: int) -> list[str]:
    if intervals < 2:
        return []
    return [
        f"Of {intervals} intervals on equal methods, about {intervals * (1 - LEVEL):.1f} would "
        "miss 0 by chance: the intervals are not corrected for that, p (Holm) is."
    ]
