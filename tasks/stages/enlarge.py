"""Stage: V enlarged by hard pseudo-labels (§3.5)."""

from dataclasses import dataclass
from typing import Generic

import numpy as np
import numpy.typing as npt
import torch

from data.fingerprint import digest_json
from data.tables.enlarged_v import EnlargedV, save_enlarged
from data.tables.prepared import load_prepared
from data.tables.pseudo_labels import read_pseudo_labels
from data.tables.split_file import load_split
from gradmix.ensembling import enlarge
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.stage import A, Stage, StageInputs, Workplace
from tasks.jobs.streams import split_labels
from tasks.outcome import Outcome
from tasks.storage.artifacts import Request

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class EnlargeInputs(StageInputs, Generic[A]):
    """Pseudo-labels, and the V to enlarge.

    Attributes:
        pseudo: the pseudo-labels.
        target: prepared training data.
        classes: classes of the target.
        split: split with the role V.
        per_class: number of samples per class to reach.
        seed: seed of the random choice among agreed samples.
    """

    pseudo: A
    target: A
    classes: tuple[str, ...]
    split: A
    per_class: int
    seed: int


def describe(inputs: EnlargeInputs) -> Request:
    """The identity depends on the pseudo-labels, V, the size and the seed."""
    used = {
        "pseudo_labels": inputs.pseudo.digest,
        "V": inputs.split.summary["digests"]["V"],
        "target": inputs.target.digest,
    }
    config = {"per_class": inputs.per_class, "classes": list(inputs.classes)}
    return Request("enlarge", 2, config, used, inputs.seed, inputs.subject)


def execute(place: Workplace, inputs: EnlargeInputs) -> Outcome:
    """Add random agreed samples of U to V, up to `per_class`, or all if there are fewer.

    For frames, clips are counted, and drawn with all their agreed frames.
    """
    pseudo, split, classes = inputs.pseudo, inputs.split, inputs.classes
    home = place.runtime.home
    images = load_prepared(home / inputs.target.folder)
    roles = load_split(home / split.folder / "split.parquet")
    v = roles.v
    v_labels = split_labels(classes, images, roles, torch.from_numpy(v)).numpy()
    table = read_pseudo_labels(home / pseudo.folder / "pseudo_labels.parquet")
    samples = images.samples
    clips = np.arange(len(images.labels)) if samples is None else samples.clip_numbers
    rows = enlarge(
        torch.from_numpy(table.hard_label),
        torch.tensor(_clips_by_class(clips[v], v_labels, len(classes))),
        inputs.per_class,
        inputs.seed,
        torch.from_numpy(clips[table.sample_id]),
    ).numpy()
    enlarged = EnlargedV(
        sample_id=np.concatenate([v, table.sample_id[rows]]),
        label=np.concatenate([v_labels, table.hard_label[rows]]),
        pseudo=np.concatenate([np.zeros(len(v), bool), np.ones(len(rows), bool)]),
    )
    save_enlarged(enlarged, place.output)
    content = digest_json([enlarged.sample_id.tolist(), enlarged.label.tolist()])
    with tracked_run(place) as run_id:
        tracker = place.runtime.tracker
        labels, v_digest = pseudo.summary["content"], split.summary["digests"]["V"]
        tracker.log_dataset(run_id, "pseudo_labels", labels, pseudo.folder, "enlarging")
        tracker.log_dataset(run_id, "V", v_digest, split.folder, "enlarging")
        tracker.log_dataset(run_id, "enlarged V", content, place.destination, "output")
    return Outcome(
        {
            "content": content,
            "per_class": _clips_by_class(clips[enlarged.sample_id], enlarged.label, len(classes)),
            "pseudo": len(rows),
        },
        {"run_id": run_id},
    )


def _clips_by_class(clips: IntArray, labels: IntArray, classes: int) -> list[int]:
    """Number of clips with samples of each class."""
    return [len(np.unique(clips[labels == label])) for label in range(classes)]


STAGE = Stage("enlarge", EnlargeInputs, describe, execute)
