"""Roles of a target whose labelled files are given: V as it is, less what is held out of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data.errors import DataError
from data.listing import UNLABELLED
from data.reader import Samples
from data.tables.split import Rows, Split, Units, class_positions

FOLDS = 5
"""Parts of the labelled samples, each held out once, where they are too few to hold any out."""
HELD_OUT_STREAM, FOLD_STREAM = 3, 4
"""First words of the seeds, besides those of splits that are drawn."""
REJECTED = ""
"""The label of a correction that takes a sample out."""


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """What is held out of the labelled samples; by default nothing.

    Attributes:
        count: samples of all classes together; where the number of classes does not divide it, the
            first classes get one more.
        share: of the samples of every class, rounded, at least one.
        fold: one of `FOLDS` parts, from 0.
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
    """Give every sample its role: V is what is labelled, U is what is not.

    Samples that corrections give a label join V and are never held out: people look at what a
    model finds easy, or hard, so that an accuracy on these would not be that on U. What is held out
    is therefore the same before and after. A correction of a labelled sample changes its label.

    Clips are counted, and groups of clips held out whole, as `split_target` does. Folds are made
    class by class, from groups in random order, so that each fold has its share of every class.

    Args:
        labels: int64 [N], positions in `classes`; -1 of unlabelled samples.
        classes: all class names.
        target_classes: the classes of the target; labelled samples of others get no role.
        held_out: for hyper-validation.
        seed: non-negative.
        samples: names of the rows.
        corrections: label by the sample's clip; `REJECTED` takes it out.

    Raises:
        DataError: if a class keeps no sample in V, a recording has clips of two classes, no sample
            is unlabelled, or a correction's label is none of the target's classes.
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
    """Chooses what is held out, class by class."""

    units: Units
    held_out: HeldOut
    seed: int
    classes: int
    groups: int = 0
    """Of the classes before: where the folds of the next class begin, so that they fill evenly."""

    def of_class(self, position: int, clips: Rows) -> Rows:
        """The clips of a class that are held out."""
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
    """Labels as positions in the target's classes; -1 of all others."""
    place = np.full(len(classes) + 1, UNLABELLED, np.int64)
    place[class_positions(classes, target_classes)] = np.arange(len(target_classes))
    return place[labels]


def _check_groups(samples: Samples, given: Rows, classes: Sequence[str]) -> None:
    of_group: dict[str, int] = {}
    for group, label in zip(samples.groups, given.tolist(), strict=True):
        if label != UNLABELLED and of_group.setdefault(group, label) != label:
            raise DataError(
                f"Expected every recording in one class, found {group} in {classes[label]} and "
                f"{classes[of_group[group]]}: name its clips as two recordings, or leave some out."
            )


def _check_kept(name: str, found: int, held: int) -> None:
    if found <= held:
        raise DataError(
            f"Expected at least {held + 1} labelled samples of class '{name}' ({held} held out for "
            f"hyper-validation, 1 for V), found {found}: label more, or hold fewer out."
        )
