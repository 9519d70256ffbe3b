"""The artifacts behind the pseudo-labels of a finished run."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data.fingerprint import digest_json
from flows.records.stored import find_record, latest_record
from tasks.reporting.record import Record
from tasks.reporting.records.labels import LabelRecord
from tasks.storage.artifacts import RESULT, Artifact, read_artifact
from tasks.storage.home import HomeError


@dataclass(frozen=True, kw_only=True)
class EnsembleRun:
    """An ensemble of a run, and the data it labelled.

    Attributes:
        home: the home folder.
        record: record of the run.
        labels: its labels of U, in the record.
        pseudo: artifact of these labels.
        ensemble: selection whose members voted.
        target: prepared training data.
        splits: splits of the target with the same U, as used by the members' trainings.
    """

    home: Path
    record: Record
    labels: LabelRecord
    pseudo: Artifact
    ensemble: Artifact
    target: Artifact
    splits: tuple[Artifact, ...]


def find_ensemble(run: str | None, home: Path, k: int | None, draw: int | None) -> EnsembleRun:
    """Find the ensemble that labelled U in a run.

    Args:
        run: name, folder or MLflow id of a finished reproduction; None for the latest.
        home: the home folder.
        k: labels per class; None for the run's maximum.
        draw: number of V; None for the first.

    Raises:
        HomeError: if there is none, or an artifact is missing.
    """
    record = latest_record(home) if run is None else find_record(_name(run), home)
    labels = _labels_of(record, k, draw)
    pseudo = _one(
        (found for found in _artifacts(home, "pseudo_label")
         if found.notes.get("run_id") == labels.run_id),
        "pseudo-labels", record,
    )  # fmt: skip
    used = pseudo.document["inputs"]
    members = [used[f"member {place}"] for place in range(labels.r)]
    selections = (
        found for found in _artifacts(home, "select")
        if [digest_json([m["identity"], m["digest"]]) for m in found.summary["members"]] == members
    )  # fmt: skip
    splits = [
        found
        for found in _artifacts(home, "split")
        if found.summary["digests"]["U"] == used["U"]
        and found.document["inputs"]["target"] == used["target"]
        and found.summary["counts"]["hyper_validation"]
    ]
    targets = (
        found for stage in ("prepare", "pictures", "features") for found in _artifacts(home, stage)
        if found.digest == used["target"]
    )  # fmt: skip
    return EnsembleRun(
        home=home,
        record=record,
        labels=labels,
        pseudo=pseudo,
        ensemble=_one(selections, "ensemble", record),
        target=_one(targets, "prepared images", record),
        # Parts of a cross-fitted V, in the order of submission by the experiment.
        splits=tuple(sorted(splits, key=lambda split: str(split.document["config"]))),
    )


def images_of(run: EnsembleRun) -> Artifact:
    """The prepared images of a run's target, even if it trains on maps made from them."""
    made_from = run.target.document["inputs"].get("data")
    if run.target.document["stage"] != "features":
        return run.target
    prepared = (
        found
        for stage in ("prepare", "pictures")
        for found in _artifacts(run.home, stage)
        if found.digest == made_from
    )
    return _one(prepared, "prepared images", run.record)


def _name(run: str) -> str:
    """The name of a run, which is also that of its folder."""
    return Path(run).name if "/" in run else run


def _labels_of(record: Record, k: int | None, draw: int | None) -> LabelRecord:
    """Find the pseudo-labels of one V."""
    most = max((entry.k for entry in record.pseudo_labels), default=None)
    wanted = most if k is None else k
    found = [entry for entry in record.pseudo_labels if entry.k == wanted]
    found = [entry for entry in found if draw in (None, entry.draw)]
    if found:
        return min(found, key=lambda entry: entry.draw)
    known = ", ".join(f"k={entry.k} draw={entry.draw}" for entry in record.pseudo_labels)
    if not known:
        raise HomeError(
            f"expected pseudo-labels in {record.name}, found none: it trains nothing on them; add "
            "a [[final]] row to the experiment and run it again."
        )
    raise HomeError(
        f"--k, --draw: expected values that {record.name} has ({known}), found k={wanted} "
        f"draw={draw}; correct them."
    )


def _artifacts(home: Path, stage: str) -> Iterator[Artifact]:
    for path in sorted((home / "artifacts" / stage).glob(f"*/{RESULT}")):
        yield read_artifact(path)


def _one(found: Iterator[Artifact], what: str, record: Record) -> Artifact:
    artifact = next(found, None)
    if artifact is None:
        raise HomeError(
            f"expected the {what} of {record.name} in the home folder, found none; run "
            f"{record.command} again: it makes what is missing."
        )
    return artifact
