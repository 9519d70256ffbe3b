"""Beyond the paper: does each source help, and what is a label worth?"""

from collections.abc import Sequence

from data.counting import counted
from tasks.reporting.measures import Measure, measures
from tasks.reporting.paired import Difference
from tasks.reporting.record import Record
from tasks.reporting.records.studies import LabelsRecord, SourceRecord
from tasks.reporting.render.captions import how_to_read
from tasks.reporting.result_table import NONE, asked, estimate_text, signed
from tasks.reporting.stats.estimates import Estimate, estimate
from tasks.reporting.stats.label_curve import LabelCurve, fitted
from tasks.reporting.text_tables import markdown_table

MORE = 20
"""Number of labels added in the study of labels."""


def source_section(record: Record) -> str:
    """Each source left out in turn, on the draws common to all."""
    parts = record.studies.sources if asked(record, "studies", "sources") else ()
    if not parts:
        return ""
    found = source_differences(parts, measures(record)[-1])
    header = ["source", "k", "with it minus without, points", "draws", "95 % CI", "verdict"]
    return "\n\n".join(
        [
            "## Does this source help?",
            f"{record.settings['first_stage']['name']} at the middle cell of its grid on all "
            "sources and without one, each with the learning rate chosen on hyper-validation for "
            f"it; test accuracy {measures(record)[-1].name} on the same draws.",
            markdown_table(header, [_source_line(pair) for pair in found], left=(0, 5)),
            how_to_read("sources"),
        ]
    )


def source_differences(parts: Sequence[SourceRecord], measure: Measure) -> list[Difference]:
    """All sources minus all but one, by source and k."""
    whole = {(one.k, one.draw): measure.accuracy(one) for one in parts if one.left_out is None}
    names = dict.fromkeys(one.left_out for one in parts if one.left_out is not None)
    found = []
    for name in names:
        for k in sorted({one.k for one in parts}):
            points = [
                100 * (every - without)
                for one in parts
                if (one.left_out, one.k) == (name, k)
                and (every := whole.get((k, one.draw))) is not None
                and (without := measure.accuracy(one)) is not None
            ]
            if points:
                pair = (f"with {name}", f"without {name}")
                found.append(Difference(measure, k, *pair, estimate(points), tuple(points)))
    return found


def source_verdict(pair: Difference) -> str:
    """`helps`, `hurts` or, if undecided, how much it may matter."""
    if pair.higher is None:
        return pair.verdict
    return "helps" if pair.higher == pair.row else "hurts"


def label_section(record: Record) -> str:
    """Accuracy by the number of labels, a curve through it, and what more labels would add."""
    parts = record.studies.labels if asked(record, "studies", "labels") else ()
    curves = label_curves(parts, measures(record)[-1])
    if not curves:
        return ""
    counts = sorted({one.labels for one in parts})
    header = [
        "labels",
        "a class",
        "test accuracy",
        "by the curve",
        f"{MORE} more labels",
        "95 % CI",
    ]
    power = estimate([curve.power for curve in curves])
    return "\n\n".join(
        [
            "## What is a label worth?",
            f"{record.settings['first_stage']['name']} at the middle cell of its grid with V of "
            "growing size, nested within each draw; the learning rate is searched at every size. "
            "The curve is error = a * labels^-b, fitted to the logarithms of each draw "
            f"(b {estimate_text(power)} over {counted(power.n, 'draw')}); the gain of {MORE} more "
            "labels is read off each draw's curve, and the interval is Student's t over the draws.",
            markdown_table(
                header,
                [_label_line(parts, curves, labels, measures(record)[-1]) for labels in counts],
            ),
            how_to_read("label curve"),
        ]
    )


def label_curves(parts: Sequence[LabelsRecord], measure: Measure) -> list[LabelCurve]:
    """One curve per draw with enough numbers of labels."""
    found = []
    for draw in sorted({one.draw for one in parts}):
        mine = [one for one in parts if one.draw == draw]
        errors = {
            one.labels: 1.0 - accuracy
            for one in mine
            if (accuracy := measure.accuracy(one)) is not None
        }
        curve = fitted(errors, measure.count(mine[0]) or 1)
        if curve is not None:
            found.append(curve)
    return found


def _source_line(pair: Difference) -> list[str]:
    error = pair.points.standard_error
    spread = "" if error is None else f" ± {error:.2f}"
    return [
        pair.row.removeprefix("with "),
        str(pair.k),
        f"{signed(pair.points.mean)}{spread}",
        str(pair.points.n),
        pair.interval_text.removeprefix("95 % CI "),
        source_verdict(pair),
    ]


def _label_line(
    parts: Sequence[LabelsRecord], curves: Sequence[LabelCurve], labels: int, measure: Measure
) -> list[str]:
    here = [one for one in parts if one.labels == labels]
    measured = [100 * share for one in here if (share := measure.accuracy(one)) is not None]
    gain = estimate([curve.gain(labels, MORE) for curve in curves])
    return [
        str(labels),
        str(here[0].k),
        estimate_text(estimate(measured) if measured else None),
        f"{100 * (1 - estimate([curve.error(labels) for curve in curves]).mean):.2f}",
        _gain_text(gain),
        NONE if gain.interval is None else " to ".join(map(signed, gain.interval)),
    ]


def _gain_text(gain: Estimate) -> str:
    error = gain.standard_error
    return signed(gain.mean) if error is None else f"{signed(gain.mean)} ± {error:.2f}"
