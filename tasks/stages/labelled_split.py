"""Stage: assign the roles of a target whose labelled files are given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np

from data.fingerprint import digest_json
from data.reader import Samples
from data.tables.file_names import SPLIT
from data.tables.labelled_split import REJECTED, HeldOut, split_labelled
from data.tables.split import Rows, Split
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.stage import A, Stage, StageInputs, Workplace
from tasks.errors import StageError
from tasks.outcome import Outcome
from tasks.storage.artifacts import Request


@dataclass(frozen=True, kw_only=True)
class LabelledSplitInputs(StageInputs, Generic[A]):
    """The target, and which of its labelled samples are held out.

    Attributes:
        target: prepared data, labelled and unlabelled.
        classes: classes of the target.
        held_out: settings of hyper-validation.
        corrections: corrected labels by file name in the target; an empty label removes the file.
        seed: seed of the experiment.
    """

    target: A
    classes: tuple[str, ...]
    held_out: HeldOut
    corrections: Mapping[str, str]
    seed: int


def describe(inputs: LabelledSplitInputs) -> Request:
    """The identity depends on the data, the classes, what is held out, and the corrections."""
    held_out = {name: value for name, value in vars(inputs.held_out).items() if value is not None}
    config = {
        "classes": list(inputs.classes),
        "held_out": held_out,
        "corrections": len(inputs.corrections),
    }
    used = {"target": inputs.target.digest, "corrections": digest_json(dict(inputs.corrections))}
    return Request("split", 2, config, used, inputs.seed, inputs.subject)


def execute(place: Workplace, inputs: LabelledSplitInputs) -> Outcome:
    """Give every sample its role; each role has its own digest."""
    from data.tables.prepared import read_prepared  # noqa: PLC0415 - loads pyarrow
    from data.tables.split_file import save_split  # noqa: PLC0415 - loads pyarrow

    target, classes = inputs.target, inputs.classes
    prepared = read_prepared(place.runtime.home / target.folder)
    if prepared.samples is None:
        raise StageError(f"{target.folder}: expected named samples, found none; prepare it again.")
    split = split_labelled(
        prepared.labels,
        prepared.classes,
        classes,
        held_out=inputs.held_out,
        seed=inputs.seed,
        samples=prepared.samples,
        corrections=inputs.corrections,
    )
    save_split(split, place.output / SPLIT)
    digests = {
        role: digest_json([target.digest, list(classes), rows.tolist(), _labels(split, rows)])
        for role, rows in _roles(split).items()
    }
    with tracked_run(place) as run_id:
        tracker, folder = place.runtime.tracker, place.destination
        tracker.log_dataset(run_id, "target", target.summary["content"], target.folder, "splitting")
        for role, digest in digests.items():
            tracker.log_dataset(run_id, role, digest, folder, "output")
    return Outcome(
        {
            "counts": {role: len(rows) for role, rows in _roles(split).items()},
            "digests": digests,
            **_counted(prepared.samples, split, inputs),
        },
        {"run_id": run_id},
    )


def _roles(split: Split) -> dict[str, Rows]:
    return {"hyper_validation": split.hyper_validation, "V": split.v, "U": split.u}


def _labels(split: Split, rows: Rows) -> list[int | None]:
    """Known labels of a role: those of V and hyper-validation; none for U."""
    return [(split.labels or {}).get(row) for row in rows.tolist()]


def _counted(samples: Samples, split: Split, inputs: LabelledSplitInputs) -> dict[str, Any]:
    """Number of clips per role, labelled clips per class, and corrections applied."""
    clips = np.array(samples.clips)
    labelled = np.concatenate([split.v, split.hyper_validation])
    labels = np.array([(split.labels or {})[row] for row in labelled.tolist()])
    used = {name: inputs.corrections[name] for name in {*samples.clips} & {*inputs.corrections}}
    rejected = sum(label == REJECTED for label in used.values())
    return {
        "clips": {role: len(np.unique(clips[rows])) for role, rows in _roles(split).items()},
        "labelled": [
            len(np.unique(clips[labelled[labels == place]])) for place in range(len(inputs.classes))
        ],
        "corrected": len(used) - rejected,
        "rejected": rejected,
    }


STAGE = Stage("split", LabelledSplitInputs, describe, execute)
