"""Rows of the table, cells of the grid and the champion, as a record has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Labels = Literal["hard", "soft"]


@dataclass(frozen=True, kw_only=True)
class InDraw:
    """Of which V: k labelled samples a class, and the number of the draw."""

    k: int
    draw: int


@dataclass(frozen=True, kw_only=True)
class TestScores:
    """On the sealed test split, by image or frame, and by clip if frames are of clips."""

    test_accuracy: float | None = None
    test_n: int | None = None
    test_clip_accuracy: float | None = None
    test_clips: int | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingRecord(TestScores, InDraw):
    """A training: what it was, and what it reached on hyper-validation.

    Attributes:
        method: a row of `METHODS`.
        settings: every field of its config.
        pseudo: labels of S_u; None without S_u.
        learning_rate: of SGD.
        accuracy: at the best step.
        loss: at the best step.
        best_step: by accuracy, ties by lower loss.
        last_accuracy: at the last step.
        steps: gradient descents.
        seconds: in its slot, from `resumed_from` on.
        resumed_from: step of the checkpoint that an earlier attempt left; 0 without one.
        identity: of the artifact.
        run_id: of the MLflow run.
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
        row: its name.
        datasets: that the model has seen: sources, V, U.
        searched: learning rates that it was chosen from; none where the first stage's was taken.
        searched_settings: settings that it was chosen from, by name, with their values.
        candidates: hyper-validation accuracies of all that it was chosen from; empty where a
            record is older than this field.
        right: which test images, or clips if they are frames, it classifies right, packed as
            `tasks.reporting.right_answers` does; None where they were not kept.
        held_out: labels that `accuracy` counts, where V is labelled files as they are.
        weights: mixing weight of every source, mean over layers and validations; empty where
            nothing is mixed, and where a record is older than this field.
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
        row: its name.
        accuracy: on hyper-validation, which chose it.
        n: images or frames of hyper-validation, where known.
        compared: number of models that it is the best of.
        folder: of the model, in that of the record.
        registered: name of the registered model in MLflow.
        identity: of its training.
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
    """A cell of the grid in one draw; its rank among the top R, from 1, None below."""

    beta: float
    gamma: float
    rank: int | None = None
