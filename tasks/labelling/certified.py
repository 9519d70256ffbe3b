"""Labels of U with a stated precision."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data.tables.held_out import read_held_out
from data.tables.pseudo_labels import PseudoLabels, read_pseudo_labels
from gradmix.guarantees import (
    Certificate,
    Evidence,
    ladder,
    threshold_for,
    thresholds_by_rank,
)
from tasks.labelling.opinions import Opinions, Units, agreed, opinions, units


@dataclass(frozen=True, kw_only=True)
class LabelsOfU:
    """Predictions of an ensemble for U.

    Attributes:
        names: names of the M photos, clips or rows of arrays.
        opinions: predictions for them.
        units: rows of U that make up each of them.
        rows: row of each in the prepared set [M]; a clip's middle frame.
        classes: class names by index.
        threshold: threshold of hard labels, which all members must exceed.
    """

    names: tuple[str, ...]
    opinions: Opinions
    units: Units
    rows: tuple[int, ...]
    classes: tuple[str, ...]
    threshold: float


@dataclass(frozen=True, kw_only=True)
class Known:
    """Samples with known labels, scored only by members that were not trained on them.

    Attributes:
        confidence: float32 [n], confidence of the ensemble.
        right: bool [n], whether the ensemble's label is the true one.
        agreed: number of samples on which all members agree above the threshold of hard labels.
        agreed_right: number of those that are labelled correctly.
    """

    confidence: npt.NDArray[np.float32]
    right: npt.NDArray[np.bool_]
    agreed: int
    agreed_right: int


@dataclass(frozen=True, kw_only=True)
class CertifiedLabels:
    """Labels of U, and the confidence above which their precision is shown.

    Attributes:
        of_u: the labels.
        certificate: evidence for the requested precision, if there is enough.
        ladder: what known labels show about the most confident images, whatever the request.
        hard: what they show about hard labels, whose threshold was fixed beforehand.
    """

    of_u: LabelsOfU
    certificate: Certificate
    ladder: tuple[Evidence, ...]
    hard: Evidence

    @property
    def chosen(self) -> npt.NDArray[np.bool_]:
        """Mask of the labels at or above the threshold, bool [M]."""
        threshold = self.certificate.threshold
        if threshold is None:
            return np.zeros(len(self.of_u.names), bool)
        found: npt.NDArray[np.bool_] = self.of_u.opinions.confidence >= threshold
        return found

    def above(self, threshold: float) -> int:
        """Number of images at or above a threshold."""
        return int((self.of_u.opinions.confidence >= threshold).sum())


def read_labels_of_u(path: Path) -> LabelsOfU:
    """Read an ensemble's predictions for U.

    Args:
        path: path of the table of pseudo-labels.

    Raises:
        DataError: if it is damaged.
    """
    table = read_pseudo_labels(path)
    of_u = units(table.member_probabilities, table.clip)
    return LabelsOfU(
        names=tuple(names_of(table, of_u)),
        opinions=opinions(of_u.probabilities),
        units=of_u,
        rows=tuple(table.sample_id[of_u.middle].tolist()),
        classes=table.classes,
        threshold=table.threshold,
    )


def certify(of_u: LabelsOfU, known: Known, precision: float, confidence: float) -> CertifiedLabels:
    """Find the confidence above which labels of U are shown to have a given precision.

    Args:
        of_u: the labels.
        known: samples with known labels.
        precision: precision to show.
        confidence: confidence level of the proof.
    """
    sure, right = of_u.opinions.confidence, known.right
    thresholds = thresholds_by_rank(sure, len(right), precision, confidence)
    return CertifiedLabels(
        of_u=of_u,
        certificate=threshold_for(precision, confidence, known.confidence, right, thresholds),
        ladder=tuple(ladder(confidence, known.confidence, right, sure)),
        hard=Evidence(
            threshold=of_u.threshold,
            n=known.agreed,
            right=known.agreed_right,
            confidence=confidence,
        ),
    )


def known_by_held_out(path: Path, threshold: float) -> Known:
    """Score the labelled samples that were held out.

    Hard labels count one frame per clip, as frames of a clip are not independent.

    Args:
        path: path of the table of held-out samples.
        threshold: threshold of hard labels.

    Raises:
        DataError: if it is damaged.
    """
    held = read_held_out(path)
    of_held = units(held.member_probabilities, held.clip)
    said, label = opinions(of_held.probabilities), held.label[of_held.first]
    alone = held.member_probabilities[of_held.first]
    same = agreed(alone, threshold)
    return Known(
        confidence=said.confidence,
        right=said.label == label,
        agreed=int(same.sum()),
        agreed_right=int((opinions(alone).label == label)[same].sum()),
    )


def known_by_checking(of_u: LabelsOfU, checked: Mapping[int, str]) -> Known:
    """Score images of U checked by a person, such as a random sample.

    Args:
        of_u: the ensemble's predictions.
        checked: true class of each image by number; a value that is not a class, such as "", makes
            the ensemble's label wrong.
    """
    images = np.array(sorted(checked), dtype=np.int64)
    said = [of_u.classes[label] for label in of_u.opinions.label[images]]
    right = np.array(
        [label == checked[image] for label, image in zip(said, images.tolist(), strict=True)], bool
    )
    same = agreed(of_u.units.probabilities[images], of_u.threshold)
    return Known(
        confidence=of_u.opinions.confidence[images],
        right=right,
        agreed=int(same.sum()),
        agreed_right=int(right[same].sum()),
    )


def names_of(table: PseudoLabels, of_u: Units) -> list[str]:
    """Names of photos and clips; rows of arrays are named by data set and number."""
    if table.clip is not None:
        return [table.clip[row] for row in of_u.first]
    names = [source.partition(":")[2] for source in table.source]
    return [
        source if name.isdigit() else name for source, name in zip(table.source, names, strict=True)
    ]
