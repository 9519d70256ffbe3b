"""The report's sections on results: table, differences, hyper-validation, pseudo-labels."""

from collections.abc import Mapping
from math import sqrt
from typing import Any

from tasks.reporting.paper import has_paper_figures
from tasks.reporting.results import (
    Difference,
    Record,
    ResultRow,
    all_k,
    difference,
    estimate_text,
    percent,
    plural,
    reference_row,
    result_lines,
    result_table,
    row_names,
    rows_of,
    signed,
)
from tasks.reporting.small_samples import LEVEL, estimate
from tasks.reporting.text_tables import markdown_table

FEW_DRAWS = 10
"""The paper's number; with fewer, an interval is wide and leans on normality."""


def result_section(record: Record) -> str:
    """The result table, what it says in words, and what is missing in it."""
    rows = result_table(record)
    header, lines = result_lines(rows)
    draws = sorted({cell.ours.n for row in rows for cell in row.cells if cell.ours})
    counts = " or ".join(map(str, draws))
    parts = [
        f"Test accuracy in per cent: mean ± standard error over {counts} "
        f"draw{'' if draws == [1] else 's'} of V (sd with ddof 1 / sqrt(n); none of one draw)"
        + ("; beside it the paper's figure." if has_paper_figures(record) else "."),
        markdown_table(header, lines, left=(0, 1)),
        "\n".join(_headlines(record, rows)),
    ]
    missing = _missing(rows)
    if missing:
        parts.append("**Incomplete:** " + "; ".join(missing) + ".")
    return "\n\n".join(parts)


def difference_section(record: Record) -> str:
    """Every row against the reference row, draw by draw."""
    reference = reference_row(record)
    if reference is None:
        return ""
    found = [
        pair
        for k in all_k(record)
        for other in row_names(record)
        if (pair := difference(record, k, reference, other))
    ]
    if not found:
        return ""
    header = ["k", f"{reference} minus", "points", "s.e.", "draws", "95 % CI", "finding"]
    table = markdown_table(header, [_difference_line(pair) for pair in found], left=(0, 1, 6))
    return "\n\n".join(
        [
            f"## Paired differences to {reference}",
            f"Test accuracy of {reference} minus the row's, in points, on the same draws: in one "
            "draw all methods have the same V. The interval is Student's t over the draws.",
            table,
            _caution(record, reference, found),
        ]
    )


def hyper_validation_section(record: Record) -> str:
    """Best and last step of every row on hyper-validation."""
    lines = [
        _hyper_validation_line(record, name, k)
        for k in all_k(record)
        for name in row_names(record)
        if rows_of(record, name, k)
    ]
    header = ["Method", "k", "best step", "last step", "last - best", "steps of the best"]
    return "\n\n".join(
        [
            "## Hyper-validation",
            "Accuracy in per cent on hyper-validation, mean ± s.e. over draws, of the models in "
            "the table. The curve is jumpy: the model kept is the best step's, the last step's "
            "accuracy shows what the choice is worth. The best is picked on these very samples, "
            "so it is too high; no conclusion rests on it.",
            markdown_table(header, lines),
        ]
    )


def pseudo_label_section(record: Record) -> str:
    """Coverage, precision and counts of the pseudo-labels."""
    entries = record["pseudo_labels"]
    if not entries:
        return ""
    header = [
        *("k", "draw", "R", "threshold", "unlabelled", "agreed", "coverage %", "precision %"),
        "soft labels right %",
    ]
    classes = record["classes"]
    per_class = [
        [str(entry["k"]), str(entry["draw"]), *_class_texts(entry, len(classes))]
        for entry in entries
    ]
    parts = [
        "## Pseudo-labels",
        "An unlabelled image gets a hard label where all R members agree above the threshold. "
        "The true labels of U are used for this audit alone, after all trainings: they decide "
        "nothing.",
        markdown_table(header, [_pseudo_line(entry) for entry in entries]),
        "Per class: hard labels given, their precision in per cent, samples in the enlarged V.",
        markdown_table(["k", "draw", *(f"class {name}" for name in classes)], per_class),
    ]
    short = _short_classes(record, entries)
    if short:
        parts.append(short)
    return "\n\n".join(parts)


def _headlines(record: Record, rows: list[ResultRow]) -> list[str]:
    """What the table says, k by k, computed from it."""
    lines = []
    for k in all_k(record):
        lines.append(f"- k = {k}: largest mean {_largest(rows, k)}.")
        lines += [f"  - {said}" for said in _comparisons(record, rows, k)]
    return lines


def _largest(rows: list[ResultRow], k: int) -> str:
    means = _means(rows, k)
    top = max(means.values())
    names = [name for name, mean in means.items() if top - mean < 0.005]
    return f"**{' and '.join(names)}** ({top:.2f} %)"


def _comparisons(record: Record, rows: list[ResultRow], k: int) -> list[str]:
    """The reference against joint training, and the best with U against the best without."""
    reference = reference_row(record)
    joint = [row["row"] for row in record["rows"] if row["method"] == "joint" and row["k"] == k]
    said = []
    if reference and joint:
        pair = difference(record, k, reference, joint[0])
        said += [f"{reference} against {joint[0]}: {pair.text}."] if pair else []
    with_u = [row.name for row in rows if "U" in row.datasets]
    means = _means(rows, k)
    labelled = {name: mean for name, mean in means.items() if name not in with_u}
    unlabelled = {name: mean for name, mean in means.items() if name in with_u}
    if labelled and unlabelled:
        best, other = (max(some, key=lambda name: some[name]) for some in (unlabelled, labelled))
        pair = difference(record, k, best, other)
        if pair:
            said.append(
                f"Best with U against best without, picked by these means after the fact: "
                f"{best} against {other}: {pair.text}."
            )
    return said


def _means(rows: list[ResultRow], k: int) -> dict[str, float]:
    return {
        row.name: cell.ours.mean for row in rows for cell in row.cells if cell.k == k and cell.ours
    }


def _missing(rows: list[ResultRow]) -> list[str]:
    return [
        f"{row.name} lacks {'draw' if len(cell.missing) == 1 else 'draws'} "
        f"{', '.join(map(str, cell.missing))} at k = {cell.k}"
        for row in rows
        for cell in row.cells
        if cell.missing
    ]


def _difference_line(pair: Difference) -> list[str]:
    error = pair.points.standard_error
    return [
        str(pair.k),
        pair.other,
        signed(pair.points.mean),
        "-" if error is None else f"{error:.2f}",
        str(pair.points.n),
        pair.interval_text.removeprefix("95 % CI "),
        pair.verdict,
    ]


def _caution(record: Record, reference: str, found: list[Difference]) -> str:
    """What the intervals do not say."""
    most = max(pair.points.n for pair in found)
    intervals = sum(pair.points.interval is not None for pair in found)
    said = []
    if most < FEW_DRAWS:
        said.append(
            f"{plural(most, 'draw').capitalize()} prove nothing by themselves: an interval over "
            "so few differences is wide and leans on their being normal."
            if most > 1
            else "One draw proves nothing: it gives no standard error and no interval."
        )
    if intervals > 1:
        said.append(
            f"Of {intervals} intervals on equal methods, about {intervals * (1 - LEVEL):.1f} would "
            "miss 0 by chance; nothing is corrected for that."
        )
    entry = next(row for row in record["rows"] if row["row"] == reference)
    share, images = entry["test_accuracy"], entry["test_n"]
    said += [
        "The spread over draws holds V and the seed of the training, not the choice of test images:"
        f" with {images:,} of them, an accuracy of {percent(share)} % alone has a binomial "
        f"standard error of {100 * sqrt(share * (1 - share) / images):.2f} points.",
        "The paper's V draws are not ours, so its figures cannot be paired with these.",
    ]
    return " ".join(said)


def _hyper_validation_line(record: Record, name: str, k: int) -> list[str]:
    entries = rows_of(record, name, k)
    best, last = (
        [100 * entry[figure] for entry in entries] for figure in ("accuracy", "last_accuracy")
    )
    lost = estimate([after - before for after, before in zip(last, best, strict=True)])
    return [
        name,
        str(k),
        estimate_text(estimate(best)),
        estimate_text(estimate(last)),
        signed(lost.mean),
        ", ".join(str(entry["best_step"]) for entry in entries),
    ]


def _pseudo_line(entry: Mapping[str, Any]) -> list[str]:
    return [
        str(entry["k"]),
        str(entry["draw"]),
        str(entry["r"]),
        f"{entry['threshold']:g}",
        f"{entry['unlabelled']:,}",
        f"{entry['agreed']:,}",
        percent(entry["coverage"]),
        percent(entry["precision"]),
        percent(entry["soft_accuracy"]),
    ]


def _class_texts(entry: Mapping[str, Any], classes: int) -> list[str]:
    return [
        f"{entry['count_per_class'][label]:,}; {percent(entry['precision_per_class'][label])}; "
        f"{entry['enlarged_v'][label]:,}"
        for label in range(classes)
    ]


def _short_classes(record: Record, entries: list[Mapping[str, Any]]) -> str:
    """Classes of the enlarged V that did not reach their size."""
    wanted = record["settings"]["ensemble"]["enlarged_v"]
    short = [
        f"{name} (k = {entry['k']}, draw {entry['draw']}: {count})"
        for entry in entries
        for name, count in zip(record["classes"], entry["enlarged_v"], strict=True)
        if count < wanted
    ]
    if not short:
        return ""
    return (
        f"Short of the {wanted} samples a class that the enlarged V asks for, because fewer were "
        f"agreed on: class {', '.join(short)}."
    )
