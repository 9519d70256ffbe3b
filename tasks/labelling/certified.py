"""Labels of U with a stated precision."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data.tables.held_out import HeldOut, read_held_out
from data.tables.pseudo_labels import PseudoLabels, read_pseudo_labels
from gradmix.guarantees import (
    Certificate,
    Evidence,
    evidence,
    ladder,
    threshold_for,
    thresholds_by_rank,
)
from tasks.labelling.opinions import Opinions, Units, agreed, opinions, units


@dataclass(frozen=True, kw_only=True)
class CertifiedLabels:
    """What an ensemble says of U, and from which confidence on it is shown to be right.

    Attributes:
        names: of the M photos, clips or rows of arrays of U.
        opinions: of these.
        units: the rows of U that each of them has.
        classes: by position.
        certificate: whether the precision asked for is shown.
        ladder: what held-out labels show of the most confident images, whatever is asked for.
        of_the_file: what held-out labels show of the pseudo-labels that trainings used: labels
            where all members agree above a threshold that was fixed beforehand.
    """

    names: tuple[str, ...]
    opinions: Opinions
    units: Units
    classes: tuple[str, ...]
    certificate: Certificate
    ladder: tuple[Evidence, ...]
    of_the_file: Evidence

    @property
    def chosen(self) -> npt.NDArray[np.bool_]:
        """What is at or above the threshold, bool [M]."""
        if self.certificate.threshold is None:
            return np.zeros(len(self.names), bool)
        found: npt.NDArray[np.bool_] = self.opinions.confidence >= self.certificate.threshold
        return found

    def above(self, threshold: float) -> int:
        """How many images lie at or above a threshold."""
        return int((self.opinions.confidence >= threshold).sum())


def certified_labels(
    pseudo_labels: Path, held_out: Path, precision: float, confidence: float
) -> CertifiedLabels:
    """Labels of U by an ensemble, from a threshold on that held-out labels allow.

    Args:
        pseudo_labels: table of what the ensemble says of U.
        held_out: table of what it says of labelled samples that it was not trained on.
        precision: to be shown.
        confidence: to show it with.

    Raises:
        DataError: if a table is damaged.
    """
    table, held = read_pseudo_labels(pseudo_labels), read_held_out(held_out)
    of_u = units(table.member_probabilities, table.clip)
    said = opinions(of_u.probabilities)
    known, right = _scored(held)
    thresholds = thresholds_by_rank(said.confidence, len(right), precision, confidence)
    return CertifiedLabels(
        names=tuple(names_of(table, of_u)),
        opinions=said,
        units=of_u,
        classes=table.classes,
        certificate=threshold_for(precision, confidence, known.confidence, right, thresholds),
        ladder=tuple(ladder(confidence, known.confidence, right, said.confidence)),
        of_the_file=shown_of_file(held, table.threshold, confidence),
    )


def shown_of_file(held: HeldOut, threshold: float, confidence: float) -> Evidence:
    """What held-out labels show of labels on which all members agree above a threshold.

    Of clips one frame each counts: frames of a clip are not independent of each other.

    Args:
        held: the held-out samples.
        threshold: fixed beforehand.
        confidence: of the bound.
    """
    rows = units(held.member_probabilities, held.clip).first
    scores, label = held.member_probabilities[rows], held.label[rows]
    right = np.nanmean(scores, axis=1).argmax(1) == label
    found = evidence(0.5, confidence, agreed(scores, threshold).astype(np.float64), right)
    return Evidence(threshold=threshold, n=found.n, right=found.right, confidence=confidence)


def _scored(held: HeldOut) -> tuple[Opinions, npt.NDArray[np.bool_]]:
    """What is said of the held-out samples, and whether it is right."""
    of_held = units(held.member_probabilities, held.clip)
    said = opinions(of_held.probabilities)
    right: npt.NDArray[np.bool_] = said.label == held.label[of_held.first]
    return said, right


def names_of(table: PseudoLabels, of_u: Units) -> list[str]:
    """Names of photos and clips; rows of arrays have the data set's name and their number."""
    if table.clip is not None:
        return [table.clip[row] for row in of_u.first]
    names = [source.partition(":")[2] for source in table.source]
    return [
        source if name.isdigit() else name for source, name in zip(table.source, names, strict=True)
    ]
