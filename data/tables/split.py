"""Roles of the target's training rows: hyper-validation, V (labelled) and U (unlabelled)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from data.counting import counted
from data.errors import DataError
from data.reader import Samples
from data.tables.parquet import has_column, read_table, write_table

Rows = npt.NDArray[np.int64]
Labels = Rows | torch.Tensor

HYPER_VALIDATION, V, U = "hyper_validation", "V", "U"
LABEL = "label"
SCHEMA = pa.schema([("sample_id", pa.int64()), ("role", pa.string())])
LABELLED_SCHEMA = SCHEMA.append(pa.field(LABEL, pa.int64()))
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


def save_split(split: Split, path: Path) -> None:
    """Write a split as Parquet, by ascending sample_id; the same split gives the same bytes.

    Columns: sample_id (int64, row number in the prepared set) and role (string); label (int64, -1
    in U) if the split has its own labels.
    """
    parts = {HYPER_VALIDATION: split.hyper_validation, V: split.v, U: split.u}
    ids = np.concatenate(list(parts.values()))
    roles = np.repeat(list(parts), [len(rows) for rows in parts.values()])
    order = np.argsort(ids, kind="stable")
    columns = [pa.array(ids[order], pa.int64()), pa.array(roles[order].tolist(), pa.string())]
    if split.labels is None:
        write_table(pa.Table.from_arrays(columns, schema=SCHEMA), path)
        return
    labels = [split.labels.get(row, -1) for row in ids[order].tolist()]
    columns.append(pa.array(labels, pa.int64()))
    write_table(pa.Table.from_arrays(columns, schema=LABELLED_SCHEMA), path)


def load_split(path: Path) -> Split:
    """Read a split written by `save_split`.

    Raises:
        DataError: if the file is missing or damaged, or has other columns, an unknown role, a null
            or a sample with two roles.
    """
    labelled = has_column(path, LABEL)
    table = read_table(path, LABELLED_SCHEMA if labelled else SCHEMA, "sample roles")
    roles = np.array(table.column("role").to_pylist(), dtype=object)
    known = np.isin(roles, [HYPER_VALIDATION, V, U])
    if not known.all() or table.column("sample_id").null_count:
        found = roles[np.argmin(known)] if not known.all() else "no sample_id"
        raise DataError(
            f"{path}: expected a sample_id and a role among {HYPER_VALIDATION}, {V}, {U} in every "
            f"row, found {found}: create the split again."
        )
    ids = table.column("sample_id").to_numpy().astype(np.int64)
    if len(np.unique(ids)) != len(ids):
        raise DataError(
            f"{path}: expected one role for each sample, found {len(ids)} rows for "
            f"{len(np.unique(ids))} samples: create the split again."
        )
    return Split(
        hyper_validation=np.sort(ids[roles == HYPER_VALIDATION]),
        v=np.sort(ids[roles == V]),
        u=np.sort(ids[roles == U]),
        labels=_own_labels(table, ids, roles) if labelled else None,
    )


def _own_labels(table: pa.Table, ids: Rows, roles: npt.NDArray[np.object_]) -> dict[int, int]:
    known = roles != U
    numbers = table.column(LABEL).to_numpy()[known].astype(np.int64)
    return dict(zip(ids[known].tolist(), numbers.tolist(), strict=True))


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
