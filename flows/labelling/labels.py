"""Labels of a run with a stated precision, as a table, with the evidence in words."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.counting import counted
from data.errors import UserError
from data.tables.file_names import PSEUDO_LABELS
from data.tables.label_table import LabelRow, check_suffix, write_label_table
from flows.labelling.ensemble_run import EnsembleRun
from flows.labelling.files import file_roots, full_names, shown_path
from flows.labelling.held_out import held_out_table
from flows.labelling.suggested import checked_control
from gradmix.guarantees import Certificate, fewest_labels, labels_needed
from tasks.labelling.certified import (
    CertifiedLabels,
    Known,
    LabelsOfU,
    certify,
    known_by_checking,
    known_by_held_out,
    read_labels_of_u,
)


class NotShownError(UserError):
    """The known labels do not prove the precision: what they prove, and how many are needed."""


@dataclass(frozen=True, kw_only=True)
class WrittenLabels:
    """A written table of labels.

    Attributes:
        path: path of the table.
        labelled: number of rows with a label.
        of: number of images or clips in U.
        certificate: certificate of the labels.
    """

    path: Path
    labelled: int
    of: int
    certificate: Certificate


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Requested labels.

    Attributes:
        precision: minimum share of correct labels.
        confidence: confidence level of that.
        out: table to write, .csv or .parquet.
        everything: also list files without a label, with an empty one.
        checked: corrections with the control of a review, instead of held-out labels.
    """

    precision: float
    confidence: float
    out: Path
    everything: bool = False
    checked: Path | None = None


def write_labels(run: EnsembleRun, wanted: Wanted) -> WrittenLabels:
    """Write the labels that are proven to have a precision.

    Raises:
        NotShownError: if the known labels do not prove it; nothing is written.
        DataError: if the table has another format, or the control is undecided.
    """
    out = wanted.out
    check_suffix(out)
    of_u = read_labels_of_u(run.home / run.pseudo.folder / PSEUDO_LABELS)
    found = certify(of_u, _known(run, of_u, wanted.checked), wanted.precision, wanted.confidence)
    if found.certificate.threshold is None:
        raise NotShownError(not_shown(found))
    rows = list(_rows(run, found, out.absolute().parent, everything=wanted.everything))
    labelled = int(found.chosen.sum())
    write_label_table(rows, _metadata(run, found, wanted), out)
    return WrittenLabels(
        path=out, labelled=labelled, of=len(found.of_u.names), certificate=found.certificate
    )


def shown(certificate: Certificate) -> str:
    """What the known labels prove, in a sentence."""
    seen = certificate.shown
    if seen is None:
        return f"{counted(certificate.held_out, 'known label')} cannot show that."
    return (
        f"At least {percent(certificate.precision)} of the labels are right, with "
        f"{percent(certificate.confidence)} confidence: threshold {seen.threshold:.4f}; of the "
        f"{counted(seen.n, 'known label')} above it (of {certificate.held_out:,}), "
        f"{seen.n - seen.right:,} would be wrong."
    )


def not_shown(found: CertifiedLabels) -> str:
    """What the known labels prove instead, and how many more are needed, in one line."""
    asked, sure = found.certificate.precision, found.certificate.confidence
    wanted = (
        f"--precision: expected known labels that show {percent(asked)} with {percent(sure)} "
        "confidence"
    )
    best = max(found.ladder, key=lambda step: step.bound, default=None)
    if best is None or best.bound == 0:
        return (
            f"{wanted}, found {found.certificate.held_out:,}; label at least "
            f"{fewest_labels(asked, sure):,} more, or lower --precision."
        )
    more = more_labels(found)
    advice = "more" if more is None else f"about {more:,} more"
    down = math.floor(1000 * best.bound) / 1000
    if best.bound >= asked:
        # The ladder's simultaneous bounds and the tests in order are separate procedures.
        first = found.certificate.tested[0]
        return (
            f"{wanted}, found {found.certificate.held_out:,}, but only {first.n:,} above the "
            f"strictest threshold, {first.threshold:.4f}, {first.right:,} of them right: the first "
            f"test fails, which ends testing, although over all depths the labels show "
            f"{percent(down)} of the {found.above(best.threshold):,} most confident of "
            f"{len(found.of_u.names):,}; hold out or check {advice}, or lower --precision."
        )
    text = (
        f"{wanted}, found {found.certificate.held_out:,} that show {percent(down)}, of the "
        f"{found.above(best.threshold):,} most confident of {len(found.of_u.names):,} (with "
        f"{best.n - best.right:,} of {best.n:,} wrong)"
    )
    if more is None:
        return f"{text}; lower --precision, or label more to train on: as it is, too much is wrong."
    return f"{text}; lower --precision, or hold out or check {advice}."


def more_labels(found: CertifiedLabels) -> int | None:
    """Smallest number of extra held-out labels expected to show it; None if none would.

    Depths at which the present number would be enough do not count, as testing ended before them;
    the first test counts instead.
    """
    asked, held_out = found.certificate, found.certificate.held_out
    if not held_out:
        return fewest_labels(asked.precision, asked.confidence)
    totals = [
        math.ceil(needed * held_out / step.n)
        for step in (*asked.tested[:1], *found.ladder)
        if step.n
        and (needed := labels_needed(asked.precision, asked.confidence, step.right, step.n))
    ]
    return min((total - held_out for total in totals if total > held_out), default=None)


def percent(share: float) -> str:
    """A share in per cent, with up to two decimals."""
    return f"{round(100 * share, 2):g} %"


def _known(run: EnsembleRun, of_u: LabelsOfU, checked: Path | None) -> Known:
    if checked is None:
        return known_by_held_out(held_out_table(run), of_u.threshold)
    names = full_names(of_u.names, file_roots(run.record))
    return known_by_checking(of_u, checked_control(checked, names))


def _rows(
    run: EnsembleRun, found: CertifiedLabels, folder: Path, *, everything: bool
) -> Iterator[LabelRow]:
    said, chosen, roots = found.of_u.opinions, found.chosen.tolist(), file_roots(run.record)
    names = [*found.of_u.classes, ""]
    for place, name in enumerate(found.of_u.names):
        if everything or chosen[place]:
            yield LabelRow(
                path=shown_path(name, roots, folder),
                label=names[said.label[place]] if chosen[place] else "",
                confidence=float(said.confidence[place]),
                runner_up=names[said.runner_up[place]],
                runner_up_confidence=float(said.runner_up_confidence[place]),
                agreement=float(said.agreement[place]),
            )


def _metadata(run: EnsembleRun, found: CertifiedLabels, wanted: Wanted) -> dict[str, Any]:
    certificate, hard = found.certificate, found.hard
    seen = certificate.shown
    return {
        "run": run.record.name,
        "k": run.labels.k,
        "draw": run.labels.draw,
        "classes": list(found.of_u.classes),
        "members": [member["identity"] for member in run.ensemble.summary["members"]],
        "pseudo_labels": run.pseudo.identity,
        "precision": certificate.precision,
        "confidence": certificate.confidence,
        "threshold": certificate.threshold,
        "held_out": certificate.held_out,
        "held_out_above": None if seen is None else seen.n,
        "held_out_right": None if seen is None else seen.right,
        "known_by": "held-out labels" if wanted.checked is None else "a checked random sample",
        "labelled": int(found.chosen.sum()),
        "of": len(found.of_u.names),
        "of_the_pseudo_labels": {
            "threshold": hard.threshold,
            "held_out_agreed": hard.n,
            "held_out_right": hard.right,
            "precision": hard.bound,
            "confidence": hard.confidence,
        },
    }
