"""The training loop: steps at scheduled rates, hyper-validation, best checkpoint, exact resume."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gradmix.declarations.training import TrainingConfig
from gradmix.method import Method, copied_state
from gradmix.metrics import Score, score
from gradmix.optimiser import Average, schedule_factor
from gradmix.sampling import Images, ImageStream, Stream, UnlabelledStream
from gradmix.telemetry import Window


@dataclass(frozen=True)
class HyperValidation:
    """The hyper-validation set: stored images [N, H, W, C] and class numbers [N]."""

    images: Images
    labels: Tensor


@dataclass
class Training:
    """Progress of a training; `best_model` is the network's state at the best validation.

    The best validation has the highest accuracy, ties by lower loss, then by earlier step.
    `average` is the moving average of the weights, if used.
    """

    step: int = 0
    best_step: int = 0
    best: Score = field(default_factory=lambda: Score(-1.0, float("inf"), 0))
    last: Score = field(default_factory=lambda: Score(-1.0, float("inf"), 0))
    best_model: dict[str, Tensor] = field(default_factory=dict)
    average: Average | None = None
    curve: list[dict[str, float]] = field(default_factory=list)
    """One row per validation: step, hyper-validation metrics, means since the previous row."""


def train(
    method: Method,
    streams: Sequence[Stream],
    target: Stream,
    hyper_validation: HyperValidation | None,
    config: TrainingConfig,
    *,
    unlabelled: UnlabelledStream | None = None,
    score_start: bool = False,
    resume: dict[str, Any] | None = None,
    on_validation: Callable[[Training, Callable[[], dict[str, Any]]], None] = lambda *_: None,
) -> Training:
    """Train a method, keeping the model that is best on hyper-validation.

    Args:
        method: the method to train.
        streams: one stream per source; the method gets those it reads, in this order.
        target: stream of V.
        hyper_validation: scored every `validate_every` steps and after the last; None keeps
            the last step's model.
        config: length and schedule.
        unlabelled: stream of U; may be None if the method does not use it.
        score_start: also validate before the first step, so that a training that starts from a
            trained model can keep it.
        resume: state of an interrupted run of the same training, which then continues bitwise as
            if uninterrupted.
        on_validation: called after each validation with the training and a function that returns
            a state to resume from.

    Raises:
        FloatingPointError: if a loss or a gradient is not finite; names the step. Deferred metrics
            are checked at the next validation.
        ValueError: if the state to resume from has other streams.
    """
    training = Training(average=_average(method, config))
    every = [*streams, target] if unlabelled is None else [*streams, target, unlabelled]
    if resume is not None:
        training = _restore(resume, method, every, training.average)
    method.network.precision = config.precision
    window = Window()

    def validate() -> None:
        _validate(training, method, hyper_validation, window)
        on_validation(training, lambda: _state(training, method, every))

    if score_start and resume is None:
        validate()
    while training.step < config.steps:
        method.pace = schedule_factor(config.schedule, training.step, config.steps, config.warm_up)
        method.progress = training.step / config.steps
        try:
            window.add(_update(method, streams, target, unlabelled))
        except FloatingPointError as error:
            raise FloatingPointError(f"step {training.step + 1}: {error}") from error
        training.step += 1
        if training.average:
            training.average.add(method.flat.vector)
        if training.step % config.validate_every == 0 or training.step == config.steps:
            validate()
            window = Window()
    return training


def _update(
    method: Method,
    streams: Sequence[Stream],
    target: Stream,
    unlabelled: UnlabelledStream | None,
) -> dict[str, float]:
    """Take one step on the data the method declares."""
    declared = method.declaration
    return method.update(
        [stream.next() for stream in streams if declared.reads_source(stream.head)],
        target.next() if declared.uses_target else None,
        unlabelled.next() if unlabelled is not None and declared.uses_unlabelled else None,
    )


def _validate(
    training: Training, method: Method, hyper_validation: HyperValidation | None, window: Window
) -> None:
    """Score the current model, keep it if it is the best, and add a row to the curve.

    Without hyper-validation, every model replaces the one before.
    """
    figures = window.figures(training.step)
    row = {"step": float(training.step)}
    if hyper_validation is None:
        with _averaged(training, method):
            training.best_step, training.best_model = training.step, copied_state(method.network)
        training.curve.append(row | figures)
        return
    if training.average:
        raw = _finite_score(training, method, hyper_validation)
        row |= {"raw/accuracy": raw.accuracy, "raw/loss": raw.loss}
    with _averaged(training, method):
        now = training.last = _finite_score(training, method, hyper_validation)
        if (now.accuracy, -now.loss) > (training.best.accuracy, -training.best.loss):
            training.best, training.best_step = now, training.step
            training.best_model = copied_state(method.network)
    row |= {"hyper_validation/accuracy": now.accuracy, "hyper_validation/loss": now.loss}
    training.curve.append(row | figures)


def _finite_score(training: Training, method: Method, hyper_validation: HyperValidation) -> Score:
    """Score the current weights; raise FloatingPointError if the loss is not finite."""
    now = score(method.predict, hyper_validation.images, hyper_validation.labels)
    if not math.isfinite(now.loss):
        raise FloatingPointError(
            f"step {training.step}: the hyper-validation loss is {now.loss}; "
            "lower the learning rate."
        )
    return now


def _average(method: Method, config: TrainingConfig) -> Average | None:
    return Average(method.flat.vector, config.average) if config.average else None


def _averaged(training: Training, method: Method) -> AbstractContextManager[None]:
    """Replace the weights by their moving average, if used, within the context."""
    if training.average is None:
        return nullcontext()
    return training.average.in_place_of(method.flat.vector)


def _state(training: Training, method: Method, streams: Sequence[ImageStream]) -> dict[str, Any]:
    """Everything the rest of the training depends on, in plain types and tensors."""
    return {
        "step": training.step,
        "best_step": training.best_step,
        "best": vars(training.best),
        "last": vars(training.last),
        "best_model": training.best_model,
        "curve": list(training.curve),
        "average": training.average.state_dict() if training.average else None,
        "method": method.state_dict(),
        "streams": [stream.state_dict() for stream in streams],
        "rng": torch.get_rng_state(),
    }


def _restore(
    state: dict[str, Any],
    method: Method,
    streams: Sequence[ImageStream],
    average: Average | None,
) -> Training:
    """Restore method, streams and generators, and return the training so far."""
    if len(state["streams"]) != len(streams):
        raise ValueError(
            f"expected a state with {len(streams)} streams, found {len(state['streams'])}; "
            "resume from a state of the same training."
        )
    method.load_state_dict(state["method"])
    for stream, saved in zip(streams, state["streams"], strict=True):
        stream.load_state_dict(saved)
    torch.set_rng_state(state["rng"])
    if average:
        average.load_state_dict(state["average"])
    return Training(
        step=state["step"],
        best_step=state["best_step"],
        best=Score(**state["best"]),
        last=Score(**state["last"]),
        best_model=state["best_model"],
        average=average,
        curve=list(state["curve"]),
    )
