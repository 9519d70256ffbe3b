"""V given as labelled files: its split, and trainings that hold out parts of it.

If there are too few labels to hold any out for good, they are cross-fitted. V is cut into parts.
Each choice of settings is trained once per part, with that part held out of V as hyper-validation.
The choice is judged by its accuracy over all parts, which predicts each label once, by a model that
has not seen it. A row's model is then trained again on all of V, with the chosen settings and the
mean of the parts' best steps, and reports the accuracy of its parts. Grid cells, the members of the
ensemble, hold out one part each, in turn.

One leak remains: members that have seen a label help to label U, on which final models are trained.
Only through these labels of U can a held-out label have an effect.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from data.tables.labelled_split import FOLDS, HeldOut
from flows.experiment.raw_data import RawData
from flows.experiment.settings import Experiment
from flows.pipeline.futures import Draw, Submit
from tasks.engine.stage import Future
from tasks.stages import labelled_split
from tasks.stages.enlarge import EnlargeInputs
from tasks.stages.train import TrainInputs
from tasks.subjects import Subject

PART = "part"


def labelled_draw(experiment: Experiment, raw: RawData, target: Future, submit: Submit) -> Draw:
    """Submit the splits of the given V, and of its parts if it is cross-fitted.

    Args:
        experiment: experiment with labelled files.
        raw: their counts, and the corrections.
        target: prepared target data.
        submit: submits the splits.
    """
    chosen = experiment.target.hyper_validation
    count = chosen if isinstance(chosen, int) else None
    share = chosen if isinstance(chosen, float) else None

    def split(name: str, held_out: HeldOut) -> Future:
        inputs = labelled_split.LabelledSplitInputs(
            subject=Subject(name=name),
            target=target,
            classes=tuple(experiment.target.classes),
            held_out=held_out,
            corrections=raw.corrections,
            seed=experiment.seed,
        )
        return submit(labelled_split.STAGE, inputs)

    parts = range(FOLDS if experiment.target.cross_fitted else 0)
    return Draw(
        k=min(raw.labelled.get(name, 0) for name in experiment.target.classes),
        draw=0,
        seed=experiment.seed * 10_000,
        split=split("split", HeldOut(count=count, share=share)),
        drawn=False,
        parts=[split(f"split, {PART} {part} held out", HeldOut(fold=part)) for part in parts],
    )


def holding_out(
    draw: Draw, inputs: TrainInputs[Future], enlarged: Sequence[Future]
) -> Iterator[TrainInputs[Future]]:
    """The training with each part of V held out in turn; unchanged if V has no parts.

    Args:
        draw: the draw.
        inputs: the training.
        enlarged: the enlarged V without each part; empty if V is not enlarged.
    """
    if not draw.parts:
        yield inputs
    for number, split in enumerate(draw.parts):
        subject = replace(inputs.subject, settings=(*inputs.subject.settings, (PART, number)))
        yield replace(
            inputs,
            subject=subject,
            split=split,
            enlarged=enlarged[number] if enlarged else None,
        )


def holding_out_one(draw: Draw, inputs: TrainInputs[Future], order: int) -> TrainInputs[Future]:
    """A grid cell with the part for its turn held out; unchanged if V has no parts."""
    return replace(inputs, split=draw.parts[order % len(draw.parts)]) if draw.parts else inputs


def enlarged_without(draw: Draw, inputs: EnlargeInputs[Future]) -> Iterator[EnlargeInputs[Future]]:
    """Inputs to enlarge V without each part, by the same labels."""
    for number, split in enumerate(draw.parts):
        subject = replace(inputs.subject, settings=(*inputs.subject.settings, (PART, number)))
        yield replace(inputs, subject=subject, split=split)


def on_all_of_v(inputs: TrainInputs[Future], chosen: Future) -> TrainInputs[Future]:
    """The training on all of V, with the chosen settings, learning rate and steps.

    Args:
        inputs: one of the choices; all share everything except settings, rate and subject.
        chosen: the cross-fitted selection.
    """
    name = inputs.subject.name
    return replace(
        inputs,
        subject=replace(inputs.subject, name=f"{name}, on all of V", settings=()),
        settings={},
        learning_rate=chosen,
        choice=chosen,
        crossed=chosen,
    )
