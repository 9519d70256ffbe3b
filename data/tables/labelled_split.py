"""Split of a target with given labelled files: they are V, except those held out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data.counting import counted
from data.errors import DataError
from data.listing import UNLABELLED
from data.reader import Samples
from data.tables.split import Rows, Split, Units, class_positions

FOLDS = 5
"""Number of folds for cross-fitting, if there are too few labelled samples to hold any out."""
HELD_OUT_STREAM, FOLD_STREAM = 3, 4
"""First words of the seeds, distinct from those of drawn splits."""
REJECTED = ""
"""Label of a correction that removes a sample."""


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Which labelled samples to hold out; none by default.

    Attributes:
        count: number of samples over all classes; if the number of classes does not divide it, the
            first classes get one more.
        share: fraction of the samples of each class, rounded, at least one sample.
        fold: one of `FOLDS` folds, from 0.
    """

    count: int | None = None
    share: float | None = None
    fold: int | None = None


def split_labelled(
    labels: Rows,
    classes: Sequence[str],
    target_classes: Sequence[str],
    *,
    held_out: HeldOut,
    seed: int,
    samples: Samples,
    corrections: Mapping[str, str] | None = None,
) -> Split:
    """Assign every sample a role: labelled samples form V, the others U.

    Samples labelled by corrections join V and are never held out: people review what a model finds
    easy or hard, so the accuracy on these would differ from that on U. The held-out samples are
    therefore the same before and after. A correction of a labelled sample changes its label.

    Clips are counted, and groups of clips held out whole, as in `split_target`. Folds are formed
    per class from groups in random order, so that each fold has its share of every class.

    Args:
        labels: int64 [N], indices into `classes`; -1 for unlabelled samples.
        classes: all class names.
        target_classes: classes of the target; labelled samples of other classes get no role.
        held_out: samples to hold out for hyper-validation.
        seed: seed, non-negative.
        samples: names of the rows.
        corrections: corrected label by clip; `REJECTED` removes its samples.

    Raises:
        DataError: if a class keeps no sample in V, a recording has clips of two classes, no sample
            is unlabelled, or a corrected label is not a class of the target.
    """
    units, given = Units.of(samples), _given(labels, classes, target_classes)
    joined, rejected = np.zeros(len(given), bool), np.zeros(len(given), bool)
    for row, clip in enumerate(samples.clips) if corrections else ():
        label = (corrections or {}).get(clip)
        if label == REJECTED:
            rejected[row] = True
        elif label is not None:
            joined[row] = labels[row] == UNLABELLED
            given[row] = class_positions(target_classes, [label])[0]
    labelled = (given != UNLABELLED) & ~rejected
    u = np.flatnonzero((labels == UNLABELLED) & ~labelled & ~rejected).astype(np.int64)
    if not len(u):
        raise DataError("Expected unlabelled samples, found none left: add files to label.")
    _check_groups(samples, given, target_classes)
    chosen = _Chooser(units, held_out, seed, len(target_classes))
    held = []
    for position, name in enumerate(target_classes):
        of_class = labelled & (given == position)
        clips = np.unique(units.clip[of_class & ~joined])
        taken = chosen.of_class(position, clips)
        _check_kept(name, len(np.unique(units.clip[of_class])), len(taken))
        held.append(taken)
    held_rows = np.intersect1d(units.rows(held), np.flatnonzero(labelled & ~joined))
    v = np.setdiff1d(np.flatnonzero(labelled), held_rows).astype(np.int64)
    known = {int(row): int(given[row]) for row in np.sort(np.concatenate([v, held_rows]))}
    return Split(hyper_validation=held_rows.astype(np.int64), v=v, u=u, labels=known)


@dataclass
class _Chooser:
    """Chooses held-out clips, class by class."""

    units: Units
    held_out: HeldOut
    seed: int
    classes: int
    groups: int = 0
    """Groups in earlier classes; the next class's folds start there, so that they fill evenly."""

    def of_class(self, position: int, clips: Rows) -> Rows:
        """The held-out clips of a class."""
        if self.held_out.fold is not None:
            return self._of_fold(position, clips)
        count = self._count(position, len(clips))
        rng = np.random.default_rng((HELD_OUT_STREAM, self.seed, position))
        return self.units.whole_groups(rng, clips, count)

    def _count(self, position: int, clips: int) -> int:
        if self.held_out.share is not None:
            return max(1, round(self.held_out.share * clips))
        share, rest = divmod(self.held_out.count or 0, self.classes)
        return share + (position < rest)

    def _of_fold(self, position: int, clips: Rows) -> Rows:
        groups = self.units.group_of[clips]
        rng = np.random.default_rng((FOLD_STREAM, self.seed, position))
        order = rng.permutation(np.unique(groups))
        fold_of = (np.arange(len(order)) + self.groups) % FOLDS
        self.groups += len(order)
        return clips[np.isin(groups, order[fold_of == self.held_out.fold])]


def _given(labels: Rows, classes: Sequence[str], target_classes: Sequence[str]) -> Rows:
    """Labels as indices into the target's classes; -1 for all others."""
    place = np.full(len(classes) + 1, UNLABELLED, np.int64)
    place[class_positions(classes, target_classes)] = np.arange(len(target_classes))
    return place[labels]


def _check_groups(samples: Samples, given: Rows, classes: Sequence[str]) -> None:
    of_group: dict[str, int] = {}
    for group, label in zip(samples.groups, given.tolist(), strict=True):
        if label != UNLABELLED and of_group.setdefault(group, label) != label:
            raise DataError(
                f"Expected every recording in one class, found {group} in {classes[label]} and "
                f"{classes[of_group[group]]}: name its clips as two recordings, or remove some."
            )


def _check_kept(name: str, found: int, held: int) -> None:
    if found <= held:
        raise DataError(
            f"Expected at least {counted(held + 1, 'labelled sample')} of class '{name}' "
            f"({held} held out for "
            f"hyper-validation, 1 for V), found {found}: label more, or hold out fewer."
        )
