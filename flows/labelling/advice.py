"""What to ask `gradmix label` for, from the labels at hand."""

from dataclasses import dataclass

from data.counting import counted
from data.tables.file_names import PSEUDO_LABELS
from flows.labelling.ensemble_run import EnsembleRun
from flows.labelling.held_out import held_out_table
from flows.labelling.labels import more_labels, percent
from tasks.labelling.certified import Known, LabelsOfU, certify, known_by_held_out, read_labels_of_u

PRECISIONS = (0.8, 0.85, 0.9, 0.95, 0.97, 0.99)
"""Precisions worth asking for, ascending."""
CONFIDENCE = 0.95
"""Confidence level of `gradmix label` by default."""


@dataclass(frozen=True, kw_only=True)
class LabelAdvice:
    """What to ask `gradmix label` for.

    Attributes:
        precision: a precision that the known labels show; None if there is none worth asking for.
        known: number of known labels.
        total: number of known labels that could show the lowest precision worth asking for, at the
            present rate of right ones; None if none would.
    """

    precision: float | None
    known: int
    total: int | None

    @property
    def lacking(self) -> str:
        """What is missing, in one line."""
        least = percent(PRECISIONS[0])
        few = f"{counted(self.known, 'known label')} cannot show a precision of {least}"
        if self.total is None:
            return f"{few}, as too many are wrong: label more files to train on, and run again."
        return f"{few}; about {self.total:,}, checked at random, could:"


def label_advice(run: EnsembleRun) -> LabelAdvice:
    """Find a precision that held-out labels show; they are scored in a slot if they are not yet.

    Raises:
        StageError: if they cannot be scored.
        DataError: if a table is damaged.
    """
    of_u = read_labels_of_u(run.home / run.pseudo.folder / PSEUDO_LABELS)
    return advice_from(of_u, known_by_held_out(held_out_table(run), of_u.threshold))


def advice_from(of_u: LabelsOfU, known: Known) -> LabelAdvice:
    """Like `label_advice`, for known labels.

    Testing ascends and stops at the first precision that is not shown, so that a lucky high one is
    not picked from many.
    """
    best = None
    for precision in PRECISIONS:
        found = certify(of_u, known, precision, CONFIDENCE)
        if found.certificate.threshold is None:
            break
        best = precision
    more = more_labels(certify(of_u, known, PRECISIONS[0], CONFIDENCE))
    count = len(known.right)
    return LabelAdvice(precision=best, known=count, total=None if more is None else count + more)
