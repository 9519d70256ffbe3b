"""Rows of the table, cells of the grid and the champion, in a record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Labels = Literal["hard", "soft"]


@dataclass(frozen=True, kw_only=True)
class InDraw:
    """Identifies a V: k labelled samples per class, and the number of the draw."""

    k: int
    draw: int


@dataclass(frozen=True, kw_only=True)
class TestScores:
    """Scores on the sealed test split, per image or frame, and per clip for clips."""

    test_accuracy: float | None = None
    test_n: int | None = None
    test_clip_accuracy: float | None = None
    test_clips: int | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingRecord(TestScores, InDraw):
    """A training and its hyper-validation results.

    Attributes:
        method: a row of `METHODS`.
        settings: every field of its config.
        pseudo: labels of S_u; None without S_u.
        learning_rate: learning rate of SGD.
        accuracy: accuracy at the best step.
        loss: loss at the best step.
        best_step: best step by accuracy, ties by lower loss.
        last_accuracy: accuracy at the last step.
        steps: number of gradient descent steps.
        seconds: time in its slot, from `resumed_from` on.
        resumed_from: step of the checkpoint left by an earlier attempt; 0 without one.
        identity: identity of the artifact.
        run_id: MLflow run.
    """

    method: str
    settings: Mapping[str, Any]
    pseudo: Labels | None = None
    learning_rate: float
    accuracy: float
    loss: float
    best_step: int
    last_accuracy: float
    steps: int | None = None
    seconds: float
    resumed_from: int | None = None
    identity: str
    run_id: str


@dataclass(frozen=True, kw_only=True)
class RowRecord(TrainingRecord):
    """A row of the table in one draw.

    Attributes:
        row: name of the row.
        datasets: data sets the model was trained on: sources, V, U.
        searched: learning rates it was chosen from; empty if the first stage's was used.
        searched_settings: settings it was chosen from, by name, with their values.
        candidates: hyper-validation accuracies of all its candidates; empty in older records.
        right: which test images, or clips in the case of frames, it classifies correctly, packed
            by `tasks.reporting.right_answers`; None if not recorded.
        held_out: number of labelled files behind `accuracy`, if V is given as such.
        weights: mean mixing weight of each source, over layers and validations; empty if nothing
            is mixed, and in older records.
    """

    row: str
    datasets: tuple[str, ...]
    searched: tuple[float, ...]
    searched_settings: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    candidates: tuple[float, ...] = ()
    right: str | None = None
    held_out: int | None = None
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ChampionRecord(TestScores, InDraw):
    """The model to use: the best of all rows, k and draws by accuracy on hyper-validation.

    Attributes:
        row: name of the row.
        accuracy: hyper-validation accuracy, by which it was chosen.
        n: number of images, or clips, in hyper-validation, if known.
        compared: number of models compared.
        folder: folder of the model, relative to that of the record.
        registered: name of the registered model in MLflow.
        identity: identity of its training.
    """

    row: str
    accuracy: float
    n: int | None
    compared: int
    folder: str
    registered: str
    identity: str


@dataclass(frozen=True, kw_only=True)
class CellRecord(TrainingRecord):
    """A cell of the grid in one draw; `rank` is its place in the top R, from 1, or None."""

    beta: float
    gamma: float
    rank: int | None = None
