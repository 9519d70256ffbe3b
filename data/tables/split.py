"""Roles of the target's training rows: hyper-validation, V (labelled) and U (unlabelled)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data.counting import counted
from data.errors import DataError
from data.reader import Samples

Rows = npt.NDArray[np.int64]
Labels = npt.ArrayLike

HYPER_VALIDATION, V, U = "hyper_validation", "V", "U"
# First words of the seeds, so that the permutations have separate random streams.
HYPER_VALIDATION_STREAM, V_STREAM = 1, 2


@dataclass(frozen=True, kw_only=True)
class Split:
    """Row numbers (int64, sorted) in the prepared target set; no row has two roles.

    Attributes:
        hyper_validation: labelled rows for choosing checkpoints, settings and models; the same
            for every draw.
        v: k labelled rows of each class, which steer training.
        u: the other rows of the target classes, used without labels.
        labels: labels of hyper-validation and V by row, as indices into the target's classes, if
            corrections may have changed them; None: those of the prepared set.
    """

    hyper_validation: Rows
    v: Rows
    u: Rows
    labels: Mapping[int, int] | None = None


def class_rows(labels: Labels, classes: Sequence[str], wanted: Sequence[str]) -> Rows:
    """Ascending row numbers of the samples of some classes.

    Args:
        labels: int64 [N], indices into `classes`.
        classes: all class names.
        wanted: names of the classes to keep.

    Raises:
        DataError: if a wanted class is not in `classes` or is repeated.
    """
    positions = class_positions(classes, wanted)
    return np.flatnonzero(np.isin(np.asarray(labels), positions)).astype(np.int64)


def split_target(
    labels: Labels,
    classes: Sequence[str],
    target_classes: Sequence[str],
    *,
    hyper_validation: int,
    v_per_class: int,
    seed: int,
    draw: int,
    samples: Samples | None = None,
) -> Split:
    """Assign every training row of the target classes one role; each draw has its own V.

    Hyper-validation depends only on the seed. V is nested: with k + 1 samples per class it contains
    the V of k, as it is a prefix of one permutation per class. U is the rest.

    Frames of a clip stay together: clips are counted and drawn, and whole groups of clips go to
    hyper-validation, so that no recording is used for both training and validation.

    Args:
        labels: int64 [N], indices into `classes`.
        classes: all class names.
        target_classes: classes of the target; rows of other classes get no role.
        hyper_validation: number of rows or clips over all classes. If the number of classes does
            not divide it, the first classes get one more; whole groups may add some.
        v_per_class: k, at least 1, in rows or clips.
        seed: seed, non-negative.
        draw: number of the draw, non-negative.
        samples: clips and groups of the rows; None makes each row its own clip and group.

    Raises:
        DataError: if a class has too few rows, is unknown or is repeated, a number is out of range,
            or a recording has clips of two classes.
    """
    _check_numbers(hyper_validation, v_per_class, seed, draw)
    positions = class_positions(classes, target_classes)
    numbers = np.asarray(labels)
    if samples is not None:
        _check_groups(samples, numbers, classes)
    units = Units.of_rows(len(numbers)) if samples is None else Units.of(samples)
    share, rest = divmod(hyper_validation, len(positions))
    held, labelled, unlabelled = [], [], []
    for order, position in enumerate(positions):
        clips = np.unique(units.clip[numbers == position])
        n_held = share + (order < rest)
        rng = _rng(HYPER_VALIDATION_STREAM, seed, position)
        taken = units.whole_groups(rng, clips, n_held)
        left = np.setdiff1d(clips, taken)
        _check_enough(classes[position], len(clips), len(taken), v_per_class)
        free = _rng(V_STREAM, seed, position, draw).permutation(left)
        held.append(taken)
        labelled.append(free[:v_per_class])
        unlabelled.append(free[v_per_class:])
    return Split(
        hyper_validation=units.rows(held), v=units.rows(labelled), u=units.rows(unlabelled)
    )


@dataclass(frozen=True)
class Units:
    """The units that are drawn: the clip of each row, and the group of each clip."""

    clip: Rows
    group_of: Rows

    @classmethod
    def of_rows(cls, count: int) -> "Units":
        """Make every row its own clip and group."""
        return cls(np.arange(count), np.arange(count))

    @classmethod
    def of(cls, samples: Samples) -> "Units":
        """Use the clips and groups of frames."""
        clip = samples.clip_numbers
        group_of = np.empty(clip.max() + 1, np.int64)
        group_of[clip] = samples.group_numbers
        return cls(clip, group_of)

    def whole_groups(self, rng: np.random.Generator, clips: Rows, count: int) -> Rows:
        """Take all clips of groups in random order until there are at least `count`."""
        groups = self.group_of[clips]
        found, sizes = np.unique(groups, return_counts=True)
        order = rng.permutation(len(found))
        needed = int(np.searchsorted(sizes[order].cumsum(), count)) + 1 if count else 0
        return np.sort(clips[np.isin(groups, found[order[:needed]])])

    def rows(self, clips: list[Rows]) -> Rows:
        """Ascending rows of the given clips."""
        return np.flatnonzero(np.isin(self.clip, np.concatenate(clips))).astype(np.int64)


def _rng(*words: int) -> np.random.Generator:
    return np.random.default_rng(words)


def class_positions(classes: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Indices of some classes.

    Raises:
        DataError: if a class is not in `classes` or is repeated, or there is none.
    """
    unknown = [name for name in wanted if name not in classes]
    if unknown or not wanted or len(set(wanted)) != len(wanted):
        raise DataError(
            f"Expected distinct classes among {', '.join(classes)}, found "
            f"{', '.join(wanted) or 'none'}: correct the class names."
        )
    return [list(classes).index(name) for name in wanted]


def _check_numbers(hyper_validation: int, v_per_class: int, seed: int, draw: int) -> None:
    lowest = {
        "hyper_validation": (hyper_validation, 0),
        "v_per_class": (v_per_class, 1),
        "seed": (seed, 0),
        "draw": (draw, 0),
    }
    for name, (value, least) in lowest.items():
        if value < least:
            raise DataError(f"Expected {name} >= {least}, found {value}: give a larger number.")


def _check_groups(samples: Samples, labels: Rows, classes: Sequence[str]) -> None:
    """Raise DataError if a group has two classes, as groups are held out class by class."""
    of_group: dict[str, int] = {}
    for group, label in zip(samples.groups, labels.tolist(), strict=True):
        if of_group.setdefault(group, label) != label:
            raise DataError(
                f"Expected every recording in one class, found {group} in {classes[label]} and "
                f"{classes[of_group[group]]}: name its clips as two recordings, or remove some."
            )


def _check_enough(name: str, found: int, held: int, labelled: int) -> None:
    if found < held + labelled:
        raise DataError(
            f"Expected at least {counted(held + labelled, 'training sample')} of class '{name}' "
            f"({held} for hyper-validation, {labelled} for V), found {found}: "
            "lower hyper_validation or k, or add samples."
        )
