"""Enlarges V by random agreed samples of U; apart from its stage, as it loads torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from data.tables.enlarged_v import EnlargedV, save_enlarged
from data.tables.file_names import PSEUDO_LABELS, SPLIT
from data.tables.prepared import load_prepared
from data.tables.pseudo_labels import read_pseudo_labels
from data.tables.split_file import load_split
from gradmix.ensembling import enlarge
from tasks.jobs.streams import split_labels

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Folders of the prepared target, the roles of its samples, and the pseudo-labels."""

    target: Path
    split: Path
    pseudo: Path


@dataclass(frozen=True, kw_only=True)
class Enlarged:
    """The samples of the enlarged V, and the number of clips per class."""

    samples: EnlargedV
    per_class: list[int]

    @property
    def added(self) -> int:
        """Number of samples added to V."""
        return int(self.samples.pseudo.sum())

    def save(self, folder: Path) -> None:
        """Write the samples as a table."""
        save_enlarged(self.samples, folder)


def enlarged_v(folders: Folders, classes: Sequence[str], per_class: int, seed: int) -> Enlarged:
    """Add random agreed samples of U to V, up to `per_class`, or all if there are fewer.

    For frames, clips are counted, and drawn with all their agreed frames.

    Args:
        folders: what is read.
        classes: classes of the target.
        per_class: number of samples per class to reach.
        seed: seed of the choice among agreed samples.
    """
    images = load_prepared(folders.target)
    roles = load_split(folders.split / SPLIT)
    v_labels = split_labels(classes, images, roles, torch.from_numpy(roles.v)).numpy()
    table = read_pseudo_labels(folders.pseudo / PSEUDO_LABELS)
    samples = images.samples
    clips = np.arange(len(images.labels)) if samples is None else samples.clip_numbers
    rows = enlarge(
        torch.from_numpy(table.hard_label),
        torch.tensor(_clips_by_class(clips[roles.v], v_labels, len(classes))),
        per_class,
        seed,
        torch.from_numpy(clips[table.sample_id]),
    ).numpy()
    found = EnlargedV(
        sample_id=np.concatenate([roles.v, table.sample_id[rows]]),
        label=np.concatenate([v_labels, table.hard_label[rows]]),
        pseudo=np.concatenate([np.zeros(len(roles.v), bool), np.ones(len(rows), bool)]),
    )
    counts = _clips_by_class(clips[found.sample_id], found.label, len(classes))
    return Enlarged(samples=found, per_class=counts)


def _clips_by_class(clips: IntArray, labels: IntArray, classes: int) -> list[int]:
    """Number of clips with samples of each class."""
    return [len(np.unique(clips[labels == label])) for label in range(classes)]
