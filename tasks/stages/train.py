"""Stage: one training, in a slot process, tracked as one MLflow run."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal

from data.fingerprint import sha256_bytes
from gradmix.declarations.methods import method_named
from gradmix.settings import telling
from tasks.codec import encode
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.run_job import run_job
from tasks.engine.stage import A, Stage, StageInputs, Workplace
from tasks.execution.attempts import LOG
from tasks.jobs.inputs.models import MODEL
from tasks.jobs.inputs.train import CURVE, TrainingSettings, TrainJob
from tasks.networks.description import NetworkDescription
from tasks.outcome import Outcome
from tasks.stages.sources import SourceInput, head_and_classes, source_sets
from tasks.stages.weights import file_of, log_start
from tasks.storage.artifacts import Artifact, Request

Labels = Literal["hard", "soft"]


@dataclass(frozen=True, kw_only=True)
class PseudoSource(Generic[A]):
    """S_u, the pseudo-labelled samples as an additional source.

    Attributes:
        labels: the pseudo-labels.
        kind: hard or soft labels.
        if_none_agree: what to do if no hard label is left.
    """

    labels: A
    kind: Labels
    if_none_agree: Literal["stop", "soft"]


@dataclass(frozen=True, kw_only=True)
class TrainInputs(StageInputs, Generic[A]):
    """One training.

    Attributes:
        method: a row of `METHODS`.
        settings: fields of the method's config.
        learning_rate: learning rate, or the selection that found it.
        momentum: momentum of SGD.
        network: network to train.
        training: length, sizes of mini-batches, and recipe.
        heads: classes of each head of the network.
        sources: labelled sources, whether or not the method reads them.
        target: prepared target training data.
        classes: classes of the target.
        split: roles of the target's samples.
        seed: seed of weights and mini-batches.
        choice: selection whose best member supplies the settings missing in `settings`.
        initial: selection whose best member's weights are the start.
        pseudo: S_u, if used.
        enlarged: enlarged V, which replaces the split's.
        weights: initial weights of the trunk; the network holds their digest.
        crossed: selection among trainings that each held out a part of V. This training uses all
            of V for as many steps as they needed, and reports their figures.
    """

    method: str
    settings: Mapping[str, Any]
    learning_rate: float | A
    momentum: float
    network: NetworkDescription
    training: TrainingSettings
    heads: Mapping[str, tuple[str, ...]]
    sources: tuple[SourceInput[A], ...]
    target: A
    classes: tuple[str, ...]
    split: A
    seed: int
    choice: A | None = None
    initial: A | None = None
    pseudo: PseudoSource[A] | None = None
    enlarged: A | None = None
    weights: A | None = None
    crossed: A | None = None


def describe(inputs: TrainInputs) -> Request:
    """The identity depends on everything that the method reads, and nothing else."""
    entry, used = method_named(inputs.method), _read_sources(inputs)
    settings = all_settings(inputs.method, inputs.settings, inputs.choice)
    config = {
        "method": inputs.method,
        "method_version": entry.version,
        "settings": telling(settings),
        "learning_rate": _rate(inputs),
        "momentum": inputs.momentum,
        "network": encode(inputs.network),
        "training": telling(_length(inputs)),
        "sources": head_and_classes(used),
        "heads": encode(inputs.heads),
        # Canonical JSON sorts keys, but order affects random weights and the rows of gradients.
        "order": {"sources": [source.name for source in used], "heads": list(inputs.heads)},
        "pseudo": _kind(inputs),
    }
    if inputs.initial:
        # Earlier versions did not score the start, so a training could end below it.
        config["start"] = "scored"
    return Request("train", 1, config, dict(_digests(inputs)), inputs.seed, inputs.subject)


def _digests(inputs: TrainInputs) -> Iterator[tuple[str, str]]:
    """Digests of everything the method reads, by role."""
    method, digests = method_named(inputs.method), inputs.split.summary["digests"]
    yield "target", inputs.target.digest
    yield "hyper_validation", digests["hyper_validation"]
    if method.uses_target:
        yield "V", inputs.enlarged.digest if inputs.enlarged else digests["V"]
    if method.uses_unlabelled:
        yield "U", digests["U"]
    for source in _read_sources(inputs):
        yield f"source {source.name}", source.data.digest
    if inputs.pseudo:
        yield "S_u", inputs.pseudo.labels.digest
    if inputs.initial:
        yield "initial", inputs.initial.summary["members"][0]["digest"]
    if inputs.crossed:
        yield "crossed", inputs.crossed.digest


def _read_sources(inputs: TrainInputs) -> list[SourceInput]:
    """The sources the method reads."""
    reads = method_named(inputs.method).reads_source
    return [source for source in inputs.sources if reads(source.head)]


def _length(inputs: TrainInputs) -> TrainingSettings:
    """Settings of the training; on all of V, its length is the mean best step of the crossed ones.

    That length is rounded to whole validations, at least one.
    """
    training: TrainingSettings = inputs.training
    if inputs.crossed is None:
        return training
    every = training.validate_every
    needed = max(1, round(inputs.crossed.summary["crossed"]["best_step"] / every)) * every
    steps = min(training.steps, max(needed, training.warm_up + 1))
    return dataclasses.replace(training, steps=steps)


def _rate(inputs: TrainInputs) -> float:
    rate = inputs.learning_rate
    if isinstance(rate, Artifact):
        found: float = rate.summary["members"][0]["learning_rate"]
        return found
    return rate


def _kind(inputs: TrainInputs) -> Labels | None:
    """Kind of labels; soft if no hard ones are left and `if_none_agree` says so."""
    pseudo, enlarged = inputs.pseudo, inputs.enlarged
    if pseudo is None:
        return None
    if pseudo.kind == "hard" and pseudo.if_none_agree == "soft":
        moved = enlarged.summary["pseudo"] if enlarged else 0
        return "hard" if pseudo.labels.summary["agreed"] > moved else "soft"
    return pseudo.kind


def all_settings(method: str, settings: Mapping[str, Any], choice: Artifact | None) -> Any:  # noqa: ANN401 - the method's dataclass
    """Every field of the method's config: given, else the best member's, else the default."""
    config = method_named(method).config
    known = {field.name for field in dataclasses.fields(config)}
    chosen = choice.summary["members"][0]["settings"] if choice else {}
    inherited = {name: value for name, value in chosen.items() if name in known}
    return config(**inherited | dict(settings))


def execute(place: Workplace, inputs: TrainInputs) -> Outcome:
    """Train in a slot process; metrics reach MLflow in batches while it runs."""
    tracker, initial, steps = place.runtime.tracker, inputs.initial, _length(inputs).steps
    with tracked_run(place) as run_id:
        _log_inputs(place, run_id, inputs)
        log_start(place, run_id, inputs.weights)
        if initial:
            tracker.log_model_inputs(run_id, [initial.notes["models"][0]])
        outcome = run_job(
            place,
            "train",
            _job(place, inputs),
            lambda rows: tracker.log_metrics(run_id, rows),
            steps=steps,
        )
        for name in (CURVE, LOG):
            tracker.log_artifact(run_id, _kept(place, name), later=place.final_path(name))
        model_id = tracker.log_model(
            run_id,
            _model_name(place.request.label),
            place.request.identity,
            place.output / MODEL,
            later=place.final_path(MODEL),
        )
    notes = {**outcome.notes, "run_id": run_id, "model_id": model_id}
    # The log may hold warnings and traces of earlier attempts, so it counts as empty.
    return Outcome(outcome.summary, notes, {LOG: sha256_bytes(b"")})


def _job(place: Workplace, inputs: TrainInputs) -> TrainJob:
    home, initial, pseudo = place.runtime.home, inputs.initial, inputs.pseudo
    start = initial.summary["members"][0] if initial else None
    crossed = inputs.crossed.summary["crossed"] if inputs.crossed else None
    return TrainJob(
        method=inputs.method,
        settings=dataclasses.asdict(all_settings(inputs.method, inputs.settings, inputs.choice)),
        learning_rate=_rate(inputs),
        momentum=inputs.momentum,
        network=inputs.network,
        training=_length(inputs),
        heads=inputs.heads,
        seed=inputs.seed,
        weights=file_of(inputs.weights, home),
        classes=inputs.classes,
        source_sets=source_sets(_read_sources(inputs), home),
        target=home / inputs.target.folder,
        split=home / inputs.split.folder,
        enlarged=home / inputs.enlarged.folder if inputs.enlarged else None,
        pseudo=_kind(inputs),
        pseudo_labels=home / pseudo.labels.folder if pseudo else None,
        initial=home / start["folder"] if start else None,
        crossed=(crossed["accuracy"], crossed["loss"]) if crossed else None,
    )


def _log_inputs(place: Workplace, run_id: str, inputs: TrainInputs) -> None:
    """Log everything the training reads, with our digests."""
    digests = place.request.inputs

    def log(name: str, digest: str, artifact: Artifact, context: str) -> None:
        place.runtime.tracker.log_dataset(run_id, name, digest, artifact.folder, context)

    for source in _read_sources(inputs):
        log(source.name, source.data.summary["content"], source.data, "training")
    log("hyper_validation", digests["hyper_validation"], inputs.split, "validation")
    if "V" in digests and inputs.enlarged:
        log("enlarged V", inputs.enlarged.summary["content"], inputs.enlarged, "training")
    elif "V" in digests:
        log("V", digests["V"], inputs.split, "training")
    if "U" in digests:
        log("U", digests["U"], inputs.split, "unlabelled")
    if inputs.pseudo:
        labels = inputs.pseudo.labels
        log("pseudo_labels", labels.summary["content"], labels, "training")


def _kept(place: Workplace, name: str) -> Path:
    """A file in the output folder, moved there from the work folder if necessary."""
    path = place.output / name
    if not path.exists():
        (place.folder / name).replace(path)
    return path


def _model_name(label: str) -> str:
    """A label without the characters that MLflow rejects in model names."""
    return "".join(" " if character in "/:.%\"'" else character for character in label)


STAGE = Stage("train", TrainInputs, describe, execute)
