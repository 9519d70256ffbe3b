"""Job: pseudo-label U with an ensemble."""

from functools import partial
from pathlib import Path

import numpy as np
import torch

from data.fingerprint import digest_json, sha256_bytes
from data.tables.file_names import PSEUDO_LABELS, SPLIT
from data.tables.image_set import ImageSet, load_prepared
from data.tables.pseudo_labels import (
    Member,
    PseudoLabels,
    min_confidence,
    write_pseudo_labels,
)
from data.tables.split import Rows
from data.tables.split_file import load_split
from gradmix.ensembling import hard_labels, soft_labels
from gradmix.metrics import disagreement, probabilities
from gradmix.networks import predict
from tasks.jobs.inputs.pseudo_label import PseudoLabelJob
from tasks.jobs.models import prepare_device, trained_network
from tasks.jobs.streams import rows_of
from tasks.outcome import Outcome


def run(job: PseudoLabelJob, folder: Path) -> Outcome:
    """Predict U with every member, in order; writes the Parquet file to `output`."""
    device = prepare_device()
    target = load_prepared(job.target)
    u = load_split(job.split / SPLIT).u
    images = rows_of(target.images, torch.from_numpy(u), device)
    parts = []
    for member in job.members:
        network = trained_network(job, member, target.images, device)
        parts.append(probabilities(partial(predict, network), images).cpu())
    by_member = torch.stack(parts)
    hard, agreed = hard_labels(by_member, job.threshold)
    names, clips = _named(target, u)
    table = PseudoLabels(
        sample_id=u,
        source=[f"{job.target_name}:{name}" for name in names],
        clip=clips,
        hard_label=hard.numpy(),
        agreed=agreed.numpy(),
        min_confidence=min_confidence(by_member.numpy()),
        soft_label=soft_labels(by_member).numpy(),
        member_probabilities=np.ascontiguousarray(by_member.transpose(0, 1).numpy()),
        classes=job.classes,
        threshold=job.threshold,
        members=tuple(Member(identity=m.identity, run_id=m.run_id) for m in job.members),
        digests=job.digests,
    )
    write_pseudo_labels(table, folder / "output" / PSEUDO_LABELS)
    content = _content(table)
    per_class = [int((hard == label).sum()) for label in range(len(job.classes))]
    return Outcome(
        {
            "unlabelled": len(u),
            "agreed": int(agreed.sum()),
            "per_class": per_class,
            "content": content,
            "clips": _agreement_of_clips(table),
        },
        contents={PSEUDO_LABELS: content},
    )


def _named(target: ImageSet, rows: Rows) -> tuple[list[str], list[str] | None]:
    """Names of rows, or numbers if they have none; and their clips, in the case of frames."""
    if target.samples is None:
        return [str(row) for row in rows], None
    names, clips = target.samples.names, target.samples.clips
    of_frames = [clips[row] for row in rows] if target.samples.are_frames else None
    return [names[row] for row in rows], of_frames


def _agreement_of_clips(table: PseudoLabels) -> dict[str, float | int] | None:
    """Number of clips, and the shares of clips whose frames are labelled differently.

    A clip counts for the hard labels if at least two of its frames have one.
    """
    if table.clip is None:
        return None
    clip = torch.from_numpy(np.unique(table.clip, return_inverse=True)[1])
    soft = torch.from_numpy(table.soft_label).argmax(1)
    hard, agreed = torch.from_numpy(table.hard_label), torch.from_numpy(table.agreed)
    return {
        "n": int(clip.max()) + 1,
        "soft_disagree": disagreement(soft, clip),
        "hard_disagree": disagreement(hard[agreed], clip[agreed]) if agreed.any() else 0.0,
    }


def _content(table: PseudoLabels) -> str:
    """Digest of everything except the members' run ids, which differ between equal results."""
    arrays = (table.sample_id, table.hard_label, table.soft_label, table.member_probabilities)
    return digest_json(
        {
            "arrays": [sha256_bytes(np.ascontiguousarray(array).tobytes()) for array in arrays],
            "classes": list(table.classes),
            "threshold": table.threshold,
            "members": [member.identity for member in table.members],
            "digests": dict(table.digests),
        }
    )
