"""Stage: one training, in a process of its own slot, tracked as one MLflow run."""

import dataclasses
from pathlib import Path
from typing import Any

from data.fingerprint import sha256_bytes
from gradmix.methods import method_named
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.run_job import run_job
from tasks.engine.stage import Outcome, Stage, Workplace
from tasks.execution.attempts import LOG
from tasks.jobs.models import MODEL
from tasks.jobs.train import CURVE
from tasks.stages.weights import file_of, log_start
from tasks.storage.artifacts import Artifact, Request


def describe(
    label: str,
    method: str,
    settings: dict[str, Any],
    learning_rate: float | Artifact,
    momentum: float,
    network: dict[str, Any],
    training: dict[str, Any],
    heads: dict[str, list[str]],
    sources: list[dict[str, Any]],
    target: Artifact,
    classes: list[str],
    split: Artifact,
    seed: int,
    choice: Artifact | None = None,
    initial: Artifact | None = None,
    pseudo: dict[str, Any] | None = None,
    enlarged: Artifact | None = None,
    weights: Artifact | None = None,
) -> Request:
    """Everything that the method reads decides, and nothing that it does not.

    Args:
        label: for people.
        method: a row of `METHODS`.
        settings: fields of its config.
        learning_rate: a number, or the selection that found it.
        momentum: of SGD.
        network: trunk, its settings, normalisation, frozen part; digests of weights and code.
        training: steps, validate_every, batch_size, v_whole_up_to, recipe.
        heads: classes of every head of the network.
        sources: name, data (artifact), classes and head of every source.
        target: prepared target training data.
        classes: of the target.
        split: roles of the target's samples.
        seed: of weights and mini-batches.
        choice: a selection whose best member gives the settings that `settings` does not.
        initial: a selection whose best member's weights are the start.
        pseudo: S_u as one more source: `labels` (artifact), `kind` (hard, soft), and what there is
            to do `if_none_agree` (stop, soft).
        enlarged: the enlarged V, in place of the split's.
        weights: that the trunk starts from; their digest is the network's.
    """
    del classes, weights
    entry = method_named(method)
    inputs = {"target": target.digest}
    inputs["hyper_validation"] = split.summary["digests"]["hyper_validation"]
    if entry.method.uses_target:
        inputs["V"] = enlarged.digest if enlarged else split.summary["digests"]["V"]
    used: dict[str, Any] = {}
    if entry.method.uses_unlabelled:
        inputs["U"] = split.summary["digests"]["U"]
    for source in _read(method, sources):
        inputs[f"source {source['name']}"] = source["data"].digest
        used[source["name"]] = [source["head"], source["classes"]]
    if pseudo:
        inputs["S_u"] = pseudo["labels"].digest
    if initial:
        inputs["initial"] = initial.summary["members"][0]["digest"]
    rate = learning_rate
    if isinstance(rate, Artifact):
        rate = rate.summary["members"][0]["learning_rate"]
    config = {
        "method": method,
        "method_version": entry.method.version,
        "settings": all_settings(method, settings, choice),
        "learning_rate": rate,
        "momentum": momentum,
        "network": network,
        "training": training,
        "sources": used,
        "heads": heads,
        # Canonical JSON sorts keys; the order decides random weights and the rows of gradients.
        "order": {"sources": list(used), "heads": list(heads)},
        "pseudo": _kind(pseudo, enlarged) if pseudo else None,
    }
    return Request("train", 2, config, inputs, seed, label)


def _read(method: str, sources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The sources that a method reads."""
    reads = method_named(method).method.reads_source
    return [source for source in sources if reads(source["head"])]


def _kind(pseudo: dict[str, Any], enlarged: Artifact | None) -> str:
    """Hard or soft labels: soft ones in place of hard ones of which none is left, if asked for."""
    kind: str = pseudo["kind"]
    if kind == "hard" and pseudo["if_none_agree"] == "soft":
        moved = enlarged.summary["pseudo"] if enlarged else 0
        return kind if pseudo["labels"].summary["agreed"] > moved else "soft"
    return kind


def all_settings(method: str, settings: dict[str, Any], choice: Artifact | None) -> dict[str, Any]:
    """Every field of the method's config: as given, else the best member's, else the default."""
    config = method_named(method).config
    known = {field.name for field in dataclasses.fields(config)}
    chosen = choice.summary["members"][0]["settings"] if choice else {}
    inherited = {name: value for name, value in chosen.items() if name in known}
    return dataclasses.asdict(config(**inherited | settings))


def execute(
    place: Workplace,
    label: str,
    method: str,
    sources: list[dict[str, Any]],
    target: Artifact,
    classes: list[str],
    split: Artifact,
    initial: Artifact | None = None,
    pseudo: dict[str, Any] | None = None,
    enlarged: Artifact | None = None,
    weights: Artifact | None = None,
    **_: Any,  # noqa: ANN401 - settings, which the request already holds
) -> Outcome:
    """Train in a slot process; metrics reach MLflow in batches while it runs."""
    home, tracker = place.runtime.home, place.runtime.tracker
    used = _read(method, sources)
    start = initial.summary["members"][0] if initial else None
    job = {
        **place.request.config,
        "seed": place.request.seed,
        "weights": file_of(weights, home),
        "classes": classes,
        "source_sets": [{**source, "data": str(home / source["data"].folder)} for source in used],
        "target": str(home / target.folder),
        "split": str(home / split.folder),
        "enlarged": str(home / enlarged.folder) if enlarged else None,
        "pseudo_labels": str(home / pseudo["labels"].folder) if pseudo else None,
        "initial": str(home / start["folder"]) if start else None,
    }
    with tracked_run(place) as run_id:
        _log_inputs(place, run_id, used, split, pseudo, enlarged)
        log_start(place, run_id, weights)
        if initial and start:
            tracker.log_model_inputs(run_id, [initial.notes["models"][0]])
        outcome = run_job(
            place,
            "train",
            job,
            lambda rows: tracker.log_metrics(run_id, rows),
            steps=int(job["training"]["steps"]),
        )
        for name in (CURVE, LOG):
            tracker.log_artifact(run_id, _kept(place, name), later=place.final_path(name))
        model_id = tracker.log_model(
            run_id,
            _model_name(label),
            place.request.identity,
            place.output / MODEL,
            later=place.final_path(MODEL),
        )
    notes = {**outcome["notes"], "run_id": run_id, "model_id": model_id}
    # Warnings and the traces of earlier attempts are no result: the log counts as an empty one.
    return Outcome(outcome["summary"], notes, {LOG: sha256_bytes(b"")})


def _log_inputs(
    place: Workplace,
    run_id: str,
    sources: list[dict[str, Any]],
    split: Artifact,
    pseudo: dict[str, Any] | None,
    enlarged: Artifact | None,
) -> None:
    """Name everything that the training reads, with our digests."""
    tracker, inputs = place.runtime.tracker, place.request.inputs
    for source in sources:
        data = source["data"]
        content = data.summary["content"]
        tracker.log_dataset(run_id, source["name"], content, data.folder, "training")
    tracker.log_dataset(
        run_id, "hyper_validation", inputs["hyper_validation"], split.folder, "validation"
    )
    if "V" in inputs:
        if enlarged:
            content = enlarged.summary["content"]
            tracker.log_dataset(run_id, "enlarged V", content, enlarged.folder, "training")
        else:
            tracker.log_dataset(run_id, "V", inputs["V"], split.folder, "training")
    if "U" in inputs:
        tracker.log_dataset(run_id, "U", inputs["U"], split.folder, "unlabelled")
    if pseudo:
        labels = pseudo["labels"]
        content = labels.summary["content"]
        tracker.log_dataset(run_id, "pseudo_labels", content, labels.folder, "training")


def _kept(place: Workplace, name: str) -> Path:
    """The file of that name in the output folder, moved there from the work folder if need be."""
    path = place.output / name
    if not path.exists():
        (place.folder / name).replace(path)
    return path


def _model_name(label: str) -> str:
    """A label without the characters that MLflow refuses in model names."""
    return "".join(" " if character in "/:.%\"'" else character for character in label)


STAGE = Stage("train", describe, execute)
