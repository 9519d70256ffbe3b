"""The report's sections on the rows of the table: test accuracy, hyper-validation."""

from collections.abc import Sequence

from data.counting import counted
from tasks.reporting.measures import Measure, figure_name, main_table, measures, selected_by
from tasks.reporting.paired import Difference, difference
from tasks.reporting.record import Record
from tasks.reporting.render.captions import how_to_read
from tasks.reporting.result_table import (
    ResultRow,
    all_k,
    asked,
    estimate_text,
    reference_row,
    result_lines,
    result_table,
    row_names,
    rows_of,
    signed,
    v_name,
)
from tasks.reporting.sections.deviations import has_paper_figures, our_readings
from tasks.reporting.stats.estimates import estimate
from tasks.reporting.text_tables import markdown_table

PER_VIDEO = (
    "Per frame: every frame of a clip is classified by itself, as an image. Per video: the softmax "
    "is averaged over the frames of a clip, and the largest mean decides."
)


def result_section(record: Record) -> str:
    """The result table, its main findings in words, and what is missing."""
    table = main_table(record)
    if not asked(record, "tables", table):
        return ""
    rows = result_table(record)
    header, lines = result_lines(rows)
    parts = [
        f"## Table {table}: {figure_name(record)}",
        f"{figure_name(record).capitalize()} in per cent{_spread(record, rows)}"
        f"{_of_the_paper(record, rows)}." + (f" {PER_VIDEO}" if len(measures(record)) > 1 else ""),
        markdown_table(header, lines, left=(0, 1)),
        how_to_read(f"table {table}"),
        *our_readings(record),
        "\n".join(_headlines(record, rows)),
    ]
    parts += _softened(record)
    missing = _missing(rows)
    if missing:
        parts.append("**Incomplete:** " + "; ".join(missing) + ".")
    return "\n\n".join(parts)


def _spread(record: Record, rows: Sequence[ResultRow]) -> str:
    """What the figures are means over."""
    if record.labelled is not None:
        return f", of one V of {counted(sum(record.labelled.counts), 'label')}"
    draws = sorted({cell.ours.n for row in rows for cell in row.cells if cell.ours})
    counts = " or ".join(map(str, draws))
    return (
        f": mean ± standard error over {counts} draw{'' if draws == [1] else 's'} of V (sd with "
        "ddof 1 / sqrt(n); none for one draw)"
    )


def _of_the_paper(record: Record, rows: Sequence[ResultRow]) -> str:
    if not has_paper_figures(record):
        return ""
    errors = [cell.paper.standard_error for row in rows for cell in row.cells if cell.paper]
    bare = ", which has no standard error" if not any(errors) else ""
    return f"; next to it the paper's figure{bare}"


def _softened(record: Record) -> list[str]:
    """Rows with hard labels that were trained on soft ones, as there were no hard ones."""
    hard = {final["name"] for final in record.settings["final"] if final["labels"] == "hard"}
    entries = [
        *((row.row, row) for row in record.rows if row.row in hard and row.pseudo == "soft"),
        *(
            (f"figure 4, R = {entry.r}", entry)
            for entry in record.ensembles or []
            if entry.pseudo == "soft"
        ),
    ]
    if not entries:
        return []
    said = "; ".join(f"{name} (k = {e.k}, draw {e.draw})" for name, e in entries)
    return [f"**Soft labels instead of hard ones**, as the members agreed on nothing: {said}."]


def hyper_validation_section(record: Record) -> str:
    """Best and last step of each row on hyper-validation."""
    lines = [
        _hyper_validation_line(record, name, k)
        for k in all_k(record)
        for name in row_names(record)
        if rows_of(record, name, k)
    ]
    crossed = record.labelled is not None and record.labelled.parts > 0
    header = ["Method", "k", "best step", "last step", "last - best", "steps of the best"]
    return "\n\n".join(
        [
            "## Hyper-validation",
            f"Accuracy{selected_by(record)} in per cent on hyper-validation, mean ± s.e. over "
            "draws, of the models in the table. The curve is jumpy: the model of the best step is "
            "kept, and the last step's accuracy shows what this is worth. The best step is chosen "
            "on these very samples, so its accuracy is too high; no conclusion relies on it."
            + (" For a row trained on all of V, both are those of its parts." * crossed),
            markdown_table(header, lines),
            how_to_read("hyper-validation"),
        ]
    )


def _headlines(record: Record, rows: Sequence[ResultRow]) -> list[str]:
    """Findings of the table by k, computed from it."""
    lines = []
    for k in all_k(record):
        lines.append(f"- {v_name(record, k)}: largest mean {_largest(record, rows, k)}.")
        lines += [f"  - {said}" for said in _comparisons(record, rows, k)]
    return lines


def _largest(record: Record, rows: Sequence[ResultRow], k: int) -> str:
    """The best rows by each measure, named once if they are the same."""
    found: dict[str, list[str]] = {}
    several = len(measures(record)) > 1
    for measure in measures(record):
        means = _means(rows, measure, k)
        top = max(means.values())
        names = " and ".join(name for name, mean in means.items() if top - mean < 0.005)
        of = f" {measure.name}" if several else ""
        found.setdefault(names, []).append(f"{top:.2f} %{of}")
    return ", ".join(f"**{names}** ({', '.join(tops)})" for names, tops in found.items())


def _comparisons(record: Record, rows: Sequence[ResultRow], k: int) -> list[str]:
    """The reference against joint training, and the best with U against the best without."""
    found = measures(record)
    compared = {
        "": [_against_joint(record, measure, k) for measure in found],
        "Best with U against best without, picked by these means after the fact: ": [
            _with_u_against_without(record, rows, measure, k) for measure in found
        ],
    }
    return [
        f"{lead}{_in_words([pair for pair in pairs if pair])}."
        for lead, pairs in compared.items()
        if any(pairs)
    ]


def _against_joint(record: Record, measure: Measure, k: int) -> Difference | None:
    reference = reference_row(record)
    joint = [row.row for row in record.rows if row.method == "joint" and row.k == k]
    return difference(record, measure, k, reference, joint[0]) if reference and joint else None


def _with_u_against_without(
    record: Record, rows: Sequence[ResultRow], measure: Measure, k: int
) -> Difference | None:
    with_u = [row.name for row in rows if "U" in row.datasets]
    means = _means(rows, measure, k)
    labelled = {name: mean for name, mean in means.items() if name not in with_u}
    unlabelled = {name: mean for name, mean in means.items() if name in with_u}
    if not labelled or not unlabelled:
        return None
    best, other = (max(some, key=lambda name: some[name]) for some in (unlabelled, labelled))
    return difference(record, measure, k, best, other)


def _in_words(pairs: Sequence[Difference]) -> str:
    """The first pair, and how other measures differ from it."""
    first, *others = pairs
    of = f", {first.measure.name}" if others else ""
    said = [f"{first.names}{of}: {first.text}"]
    for pair in others:
        if (pair.names, pair.finding) == (first.names, first.finding):
            said.append(f"{pair.measure.name} the same ({signed(pair.points.mean)})")
        else:
            said.append(f"{pair.names}, {pair.measure.name}: {pair.text}")
    return "; ".join(said)


def _means(rows: Sequence[ResultRow], measure: Measure, k: int) -> dict[str, float]:
    return {
        row.name: cell.ours.mean
        for row in rows
        for cell in row.by(measure).cells
        if cell.k == k and cell.ours
    }


def _missing(rows: Sequence[ResultRow]) -> list[str]:
    """Missing draws of each row and k, named once, as they lack every measure."""
    said = [
        f"{row.name} lacks {'draw' if len(cell.missing) == 1 else 'draws'} "
        f"{', '.join(map(str, cell.missing))} at k = {cell.k}"
        for row in rows
        for cell in row.cells
        if cell.missing
    ]
    return list(dict.fromkeys(said))


def _hyper_validation_line(record: Record, name: str, k: int) -> list[str]:
    entries = rows_of(record, name, k)
    best = [100 * entry.accuracy for entry in entries]
    last = [100 * entry.last_accuracy for entry in entries]
    lost = estimate([after - before for after, before in zip(last, best, strict=True)])
    return [
        name,
        str(k),
        estimate_text(estimate(best)),
        estimate_text(estimate(last)),
        signed(lost.mean),
        ", ".join(str(entry.best_step) for entry in entries),
    ]
