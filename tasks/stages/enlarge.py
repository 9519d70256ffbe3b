"""Stage: V enlarged by hard pseudo-labels (§3.5)."""

from dataclasses import dataclass
from typing import Generic

from tasks.engine.mlflow_run import tracked_run
from tasks.engine.run_job import run_job
from tasks.engine.stage import A, Stage, StageInputs, Workplace
from tasks.jobs.inputs.enlarge import EnlargeJob
from tasks.outcome import Outcome
from tasks.storage.artifacts import Request


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
    """Add random agreed samples of U to V, up to `per_class`, or all if there are fewer."""
    pseudo, split, home = inputs.pseudo, inputs.split, place.runtime.home
    job = EnlargeJob(
        target=home / inputs.target.folder,
        split=home / split.folder,
        classes=inputs.classes,
        pseudo_labels=home / pseudo.folder,
        per_class=inputs.per_class,
        seed=inputs.seed,
    )
    with tracked_run(place) as run_id:
        tracker = place.runtime.tracker
        labels, v_digest = pseudo.summary["content"], split.summary["digests"]["V"]
        tracker.log_dataset(run_id, "pseudo_labels", labels, pseudo.folder, "enlarging")
        tracker.log_dataset(run_id, "V", v_digest, split.folder, "enlarging")
        summary = run_job(place, "enlarge", job, on_cores=True).summary
        content = summary["content"]
        tracker.log_dataset(run_id, "enlarged V", content, place.destination, "output")
    return Outcome(summary, {"run_id": run_id})


STAGE = Stage("enlarge", EnlargeInputs, describe, execute)
