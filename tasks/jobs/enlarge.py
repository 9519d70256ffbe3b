"""Job: enlarge V by random agreed samples of U."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from data.fingerprint import digest_json
from data.tables.enlarged_v import EnlargedV, save_enlarged
from data.tables.file_names import PSEUDO_LABELS, SPLIT
from data.tables.image_set import load_prepared
from data.tables.pseudo_labels import read_pseudo_labels
from data.tables.split_file import load_split
from gradmix.ensembling import enlarge
from tasks.jobs.inputs.enlarge import EnlargeJob
from tasks.jobs.streams import split_labels
from tasks.outcome import Outcome

IntArray = npt.NDArray[np.int64]


def run(job: EnlargeJob, folder: Path) -> Outcome:
    """Write V and agreed samples of U to `output`, up to `per_class`, or all if there are fewer.

    For frames, clips are counted, and drawn with all their agreed frames.
    """
    images = load_prepared(job.target)
    roles = load_split(job.split / SPLIT)
    v_labels = split_labels(job.classes, images, roles, torch.from_numpy(roles.v)).numpy()
    table = read_pseudo_labels(job.pseudo_labels / PSEUDO_LABELS)
    samples = images.samples
    clips = np.arange(len(images.labels)) if samples is None else samples.clip_numbers
    rows = enlarge(
        torch.from_numpy(table.hard_label),
        torch.tensor(_clips_by_class(clips[roles.v], v_labels, len(job.classes))),
        job.per_class,
        job.seed,
        torch.from_numpy(clips[table.sample_id]),
    ).numpy()
    found = EnlargedV(
        sample_id=np.concatenate([roles.v, table.sample_id[rows]]),
        label=np.concatenate([v_labels, table.hard_label[rows]]),
        pseudo=np.concatenate([np.zeros(len(roles.v), bool), np.ones(len(rows), bool)]),
    )
    save_enlarged(found, folder / "output")
    return Outcome(
        {
            "content": digest_json([found.sample_id.tolist(), found.label.tolist()]),
            "per_class": _clips_by_class(clips[found.sample_id], found.label, len(job.classes)),
            "pseudo": int(found.pseudo.sum()),
        }
    )


def _clips_by_class(clips: IntArray, labels: IntArray, classes: int) -> list[int]:
    """Number of clips with samples of each class."""
    return [len(np.unique(clips[labels == label])) for label in range(classes)]
