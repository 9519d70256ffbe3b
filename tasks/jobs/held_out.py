"""Job: score an ensemble on the labelled samples that were held out."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from data.tables.file_names import HELD_OUT, SPLIT
from data.tables.held_out import HeldOut, write_held_out
from data.tables.image_set import ImageSet, load_prepared
from data.tables.split import Rows, Split
from data.tables.split_file import load_split
from gradmix.metrics import probabilities
from gradmix.networks import predict
from tasks.jobs.inputs.held_out import HeldOutJob
from tasks.jobs.models import prepare_device, trained_network
from tasks.jobs.streams import rows_of, split_labels
from tasks.outcome import Outcome


def run(job: HeldOutJob, folder: Path) -> Outcome:
    """Score every held-out sample with the members that have not seen it; writes a Parquet file."""
    device = prepare_device()
    target = load_prepared(job.target)
    splits = [load_split(member.split / SPLIT) for member in job.members]
    held = [split.hyper_validation for split in splits]
    rows = np.unique(np.concatenate(held))
    scores = np.full((len(rows), len(job.members), len(job.classes)), np.nan, np.float32)
    for place, member in enumerate(job.members):
        images = rows_of(target.images, torch.from_numpy(held[place]), device)
        network = trained_network(job, member, target.images, device)
        mine = np.searchsorted(rows, held[place])
        scores[mine, place] = probabilities(partial(predict, network), images).cpu().numpy()
    table = HeldOut(
        sample_id=rows,
        label=_labels(job, target, splits, rows),
        member_probabilities=scores,
        classes=job.classes,
        members=tuple(member.identity for member in job.members),
        clip=_clips(target, rows),
    )
    write_held_out(table, folder / "output" / HELD_OUT)
    return Outcome({"held_out": len(rows), "right": _right(table.label, scores)})


def _labels(
    job: HeldOutJob, target: ImageSet, splits: Sequence[Split], rows: Rows
) -> npt.NDArray[np.int64]:
    """Labels of held-out rows, each from a split that knows it."""
    labels = np.zeros(len(rows), np.int64)
    for split in splits:
        held = torch.from_numpy(split.hyper_validation)
        mine = np.searchsorted(rows, split.hyper_validation)
        labels[mine] = split_labels(job.classes, target, split, held).numpy()
    return labels


def _clips(target: ImageSet, rows: Rows) -> Sequence[str] | None:
    if target.samples is None or not target.samples.are_frames:
        return None
    return [target.samples.clips[row] for row in rows]


def _right(label: Rows, scores: npt.NDArray[np.float32]) -> int:
    return int((np.nanmean(scores, axis=1).argmax(1) == label).sum())
