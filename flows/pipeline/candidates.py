"""Candidates of a search: other learning rates, settings or initial models."""

from collections.abc import Mapping
from dataclasses import replace

from tasks.engine.stage import Future
from tasks.stages.train import TrainInputs


def at_rate(inputs: TrainInputs[Future], rate: float) -> TrainInputs[Future]:
    """The training with a learning rate."""
    settings = (*inputs.subject.settings, ("learning_rate", rate))
    subject = replace(inputs.subject, settings=settings)
    return replace(inputs, subject=subject, learning_rate=rate)


def with_settings(inputs: TrainInputs[Future], values: Mapping[str, float]) -> TrainInputs[Future]:
    """The training with settings of its method."""
    subject = replace(inputs.subject, settings=(*inputs.subject.settings, *values.items()))
    return replace(inputs, subject=subject, settings={**inputs.settings, **values})


def with_start(inputs: TrainInputs[Future], place: int, start: Future) -> TrainInputs[Future]:
    """The training started from one of several selections' models, counted from 1."""
    subject = replace(inputs.subject, settings=(*inputs.subject.settings, ("start", place)))
    return replace(inputs, subject=subject, initial=start)
