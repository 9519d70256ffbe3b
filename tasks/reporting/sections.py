"""The report's sections on the rows of the table: test accuracy, hyper-validation."""

from tasks.reporting.paper import has_paper_figures
from tasks.reporting.reading import how_to_read
from tasks.reporting.results import (
    Record,
    ResultRow,
    all_k,
    asked,
    difference,
    estimate_text,
    reference_row,
    result_lines,
    result_table,
    row_names,
    rows_of,
    signed,
)
from tasks.reporting.small_samples import estimate
from tasks.reporting.text_tables import markdown_table


def result_section(record: Record) -> str:
    """The result table, what it says in words, and what is missing in it."""
    if not asked(record, "tables", 1):
        return ""
    rows = result_table(record)
    header, lines = result_lines(rows)
    draws = sorted({cell.ours.n for row in rows for cell in row.cells if cell.ours})
    counts = " or ".join(map(str, draws))
    parts = [
        "## Table 1: test accuracy",
        f"Test accuracy in per cent: mean ± standard error over {counts} "
        f"draw{'' if draws == [1] else 's'} of V (sd with ddof 1 / sqrt(n); none of one draw)"
        + ("; beside it the paper's figure." if has_paper_figures(record) else "."),
        markdown_table(header, lines, left=(0, 1)),
        how_to_read("table 1"),
        "\n".join(_headlines(record, rows)),
    ]
    parts += _softened(record)
    missing = _missing(rows)
    if missing:
        parts.append("**Incomplete:** " + "; ".join(missing) + ".")
    return "\n\n".join(parts)


def _softened(record: Record) -> list[str]:
    """Rows with hard labels that were trained with soft ones, because no hard one was left."""
    hard = {final["name"] for final in record["settings"]["final"] if final["labels"] == "hard"}
    entries = [
        *(
            (row["row"], row)
            for row in record["rows"]
            if row["row"] in hard and row.get("pseudo") == "soft"
        ),
        *(
            (f"figure 4, R = {entry['r']}", entry)
            for entry in record.get("ensembles") or []
            if entry.get("pseudo") == "soft"
        ),
    ]
    if not entries:
        return []
    said = "; ".join(f"{name} (k = {e['k']}, draw {e['draw']})" for name, e in entries)
    return [f"**Soft labels in place of hard ones**, as the members agreed on nothing: {said}."]


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
            how_to_read("hyper-validation"),
        ]
    )


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
