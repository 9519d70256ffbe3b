"""The report's section on what to look at, one sentence per issue, with figures."""

import math
from collections.abc import Iterator, Mapping, Sequence

from data.counting import counted
from tasks.reporting.record import Record
from tasks.reporting.records.labels import LabelRecord
from tasks.reporting.records.rows import RowRecord
from tasks.reporting.result_table import percent, row_names

IDLE = 0.1
"""A source with less than this share of an even weight has practically none."""
RARE = 0.1
"""A class with less than this fraction of an even share of hard labels seems missing."""
COLLAPSED = 0.6
"""Hard labels have collapsed if they spread over fewer effective classes than this share."""
UNBALANCED = 3
"""Ratio of labels between the largest and smallest class that is reported."""
NOTHING = (
    "Nothing stood out. Checked: sources without weight, simpler rows that do as well, hard labels "
    "that collapse or lack classes, and classes with few labels."
)
MIXING = "gradmix"
"""Prefix of the names of methods that mix."""


def attention_section(record: Record) -> str:
    """Sources without weight, classes that U seems to lack, labels that collapse, and the like."""
    found = [
        *idle_sources(record),
        *simpler_rows(record),
        *odd_labels(record),
        *unbalanced_labels(record),
    ]
    found = found or [NOTHING]
    return "\n\n".join(["## What to look at", "\n".join(f"- {sentence}" for sentence in found)])


def idle_sources(record: Record) -> Iterator[str]:
    """Sources that get practically no weight in a row."""
    for name in row_names(record):
        weights = _mean_weights([row for row in record.rows if row.row == name])
        for source, weight in weights.items():
            if weight < IDLE / len(weights):
                yield (
                    f"The source {source} has a mean weight of {weight:.3f} in {name}, where an "
                    f"even weight is {1 / len(weights):.3f}: its gradients rarely agree with V's. "
                    "Without it, training is faster and as good."
                )


def simpler_rows(record: Record) -> Iterator[str]:
    """Rows with V that do not mix, and are no worse than the best row that does."""
    accuracy = {name: _accuracy(record, name) for name in row_names(record)}
    mixing = [name for name in accuracy if _mixes(record, name)]
    if not mixing:
        return
    best = max(mixing, key=accuracy.__getitem__)
    for name, value in accuracy.items():
        if name not in mixing and _uses_v(record, name) and value >= accuracy[best]:
            yield (
                f"{name} reaches {percent(value)} % on hyper-validation, and {best}, the best row "
                f"that mixes, {percent(accuracy[best])} %: here mixing gains nothing over it."
            )


def odd_labels(record: Record) -> Iterator[str]:
    """Hard labels that only have a few classes, or lack some."""
    for entry in record.pseudo_labels:
        total, classes = sum(entry.count_per_class), len(entry.count_per_class)
        if not total or classes < 2:
            continue
        where = f"k = {entry.k}, draw {entry.draw}" if record.settings["target"].get("k") else "U"
        effective = _effective(entry.count_per_class)
        if effective < COLLAPSED * classes:
            most = max(range(classes), key=entry.count_per_class.__getitem__)
            yield (
                f"The hard labels collapse ({where}): {entry.count_per_class[most]:,} of {total:,} "
                f"are {record.classes[most]}, and they spread like {effective:.1f} even classes "
                f"of {classes}. Label some files of the others, or train longer."
            )
        yield from _missing(record, entry, where)


def unbalanced_labels(record: Record) -> Iterator[str]:
    """Labelled files with many times as many of one class as of another."""
    counts = (
        dict(zip(record.classes, record.labelled.counts, strict=True)) if record.labelled else {}
    )
    if not counts:
        return
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    if counts[most] >= UNBALANCED * max(1, counts[least]):
        yield (
            f"V is unbalanced: {counted(counts[most], 'label')} of {most}, "
            f"{counts[least]:,} of {least}. "
            "Label a few more of the rare classes."
        )


def _missing(record: Record, entry: LabelRecord, where: str) -> Iterator[str]:
    total, classes = sum(entry.count_per_class), len(entry.count_per_class)
    rare = [
        f"{name} {count:,}"
        for name, count in zip(record.classes, entry.count_per_class, strict=True)
        if count < RARE * total / classes
    ]
    if rare:
        yield (
            f"U seems to lack classes ({where}): of {total:,} hard labels, {', '.join(rare)}. If U "
            "has them, label some; if not, leave the class out."
        )


def _effective(counts: Sequence[int]) -> float:
    """Effective number of classes: exp of the entropy of the counts."""
    shares = [count / sum(counts) for count in counts if count]
    return math.exp(-sum(share * math.log(share) for share in shares))


def _mean_weights(rows: Sequence[RowRecord]) -> Mapping[str, float]:
    """Mean weight of each source over the draws; empty if a row does not mix."""
    known = [row.weights for row in rows if row.weights]
    names = [name for name in known[0] if all(name in other for other in known)] if known else []
    return {name: sum(weights[name] for weights in known) / len(known) for name in names}


def _accuracy(record: Record, name: str) -> float:
    """Mean accuracy on hyper-validation over all draws."""
    values = [row.accuracy for row in record.rows if row.row == name]
    return sum(values) / len(values)


def _mixes(record: Record, name: str) -> bool:
    return any(row.method.startswith(MIXING) for row in record.rows if row.row == name)


def _uses_v(record: Record, name: str) -> bool:
    return any("V" in row.datasets for row in record.rows if row.row == name)
