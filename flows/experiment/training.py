"""Training settings of an experiment file: network, rows, grid, ensemble, outputs."""

import dataclasses
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from data.counting import counted
from flows.experiment.fields import (
    LATER,
    Different,
    Frozen,
    Name,
    NotNegative,
    Paper,
    Positive,
    Rates,
    one_of,
)
from flows.experiment.issues import Finding, said
from flows.experiment.method_settings import check_fields, check_settings, fields_of
from flows.experiment.search import Search, check_search
from flows.experiment.validation import refuse
from gradmix.declarations.methods import METHODS
from tasks.networks.declared import TRUNKS, config_of, normalisation_of
from tasks.networks.names import NONE

GRID = ("beta", "gamma")

Study = Literal["rho", "hyper_validation", "sources", "labels"]


def _with_the_grid() -> list[str]:
    """Methods that do not read U and have the grid's axes among their settings."""
    return [
        name
        for name, entry in METHODS.items()
        if set(GRID) <= set(fields_of(name)) and not entry.uses_unlabelled
    ]


def _on_everything() -> list[str]:
    """Methods that read all sources and V, and start from random weights."""
    return [
        name
        for name, entry in METHODS.items()
        if entry.source_scope == "all" and entry.uses_target and entry.starts_from is None
    ]


class Network(Frozen):
    """The trunk, its initial weights, and how much of it is trained.

    Attributes:
        trunk: a registered name, `timm:NAME`, or a factory `package.module:function`.
        settings: settings of the trunk.
        weights: `none`, `imagenet`, `pretrained` (timm only), or the path of a file.
        normalisation: normalisation of images; by default the trunk's own.
        frozen: the last part of the trunk that is not trained, or `all`; empty: all of it is.
    """

    trunk: Name = "convnet"
    settings: dict[str, Any] = Field(default_factory=dict)
    weights: Name = NONE
    normalisation: Literal["image", "imagenet", "half", "clip", "unit"] | None = None
    frozen: str = ""

    @field_validator("trunk")
    @classmethod
    def _trunk_is_known(cls, name: str) -> str:
        # Factories are only looked up when needed, as that runs their code.
        if ":" in name:
            return name
        return one_of([*TRUNKS, "timm:NAME", "package.module:function"], name)

    @field_validator("settings")
    @classmethod
    def _settings_fit(cls, settings: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        trunk = info.data.get("trunk", "")
        config = config_of(trunk)
        if config:
            check_fields(trunk, config, settings)
        return settings

    @property
    def description(self) -> dict[str, Any]:
        """Everything besides files that the trunk's output depends on, as JSON with defaults."""
        settings = self.model_dump(mode="json")["settings"]
        config = config_of(self.trunk)
        if config:
            settings = dataclasses.asdict(config(**settings))
        return {
            "trunk": self.trunk,
            "settings": settings,
            "normalisation": self.normalisation or normalisation_of(self.trunk),
            "frozen": self.frozen,
        }


class Training(Frozen):
    """Length, batches and recipe of every training.

    By default the recipe is the paper's: plain SGD at one rate.

    Attributes:
        steps: gradient descent steps of a training.
        validate_every: steps between hyper-validations, and between checkpoints.
        batch_size: samples per step of each source, and of V above `v_whole_up_to`.
        v_whole_up_to: up to this many samples, V is used whole in every step.
        momentum: momentum of SGD, or AdamW's decay of the mean gradient.
        learning_rates: rates searched on hyper-validation by rows without their own.
        fine_tuning_rates: the same for methods that start from another's model; by default equal.
        optimiser: optimiser.
        weight_decay: weight decay of all parameters.
        clip: maximum L2 norm of the gradient, which is scaled down to it; 0 for none.
        schedule: schedule of the learning rate after the warm-up.
        warm_up: initial steps, over which the rate rises linearly.
        average: decay of a moving average of the weights, which is then the model; 0 for none.
        dropout: share of features dropped before the heads.
        precision: precision of the trunk's passes in training.
    """

    steps: Positive = 1000
    validate_every: Positive = 100
    batch_size: Positive = 64
    v_whole_up_to: Positive = 64
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    learning_rates: Rates = (0.05, 0.02)
    fine_tuning_rates: Rates | None = None
    optimiser: Annotated[Literal["sgd", "adamw"], LATER] = "sgd"
    weight_decay: Annotated[NotNegative, LATER] = 0.0
    clip: Annotated[NotNegative, LATER] = 0.0
    schedule: Annotated[Literal["constant", "cosine", "linear"], LATER] = "constant"
    warm_up: Annotated[Annotated[int, Field(ge=0)], LATER] = 0
    average: Annotated[Annotated[float, Field(ge=0, lt=1)], LATER] = 0.0
    dropout: Annotated[Annotated[float, Field(ge=0, lt=1)], LATER] = 0.0
    precision: Annotated[Literal["float32", "bfloat16"], LATER] = "float32"

    @field_validator("warm_up")
    @classmethod
    def _warm_up_ends(cls, steps: int, info: ValidationInfo) -> int:
        whole = info.data.get("steps", steps + 1)
        if steps >= whole:
            expected = f"fewer than the training's {counted(whole, 'step')}"
            refuse([Finding((), said(expected, str(steps), "lower it"))])
        return steps


class Baseline(Frozen):
    """A row of the table, trained for every draw, learning rate and combination of `search`.

    Attributes:
        name: of the row.
        method: one of gradmix's methods.
        settings: settings of the method.
        search: values of settings to search on hyper-validation, in every combination.
        learning_rates: rates that replace those of `[training]`.
        paper: the paper's mean and standard error by k, in per cent.
        paper_clips: the same per clip rather than per frame.
    """

    name: Name
    method: str
    settings: dict[str, Any] = Field(default_factory=dict)
    search: Annotated[Search, LATER] = Field(default_factory=dict)
    learning_rates: Rates | None = None
    paper: Paper = Field(default_factory=dict)
    paper_clips: Paper = Field(default_factory=dict)

    @field_validator("method")
    @classmethod
    def _method_exists(cls, method: str) -> str:
        return one_of(list(METHODS), method)

    @field_validator("settings")
    @classmethod
    def _settings_fit(cls, settings: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "method" in info.data:
            check_settings(info.data["method"], settings)
        return settings

    @field_validator("search")
    @classmethod
    def _search_fits(cls, search: Search, info: ValidationInfo) -> Search:
        if {"method", "settings"} <= info.data.keys():
            check_search(info.data["method"], info.data["settings"], search)
        return search


class FirstStage(Frozen):
    """The grid over beta and gamma (Eq. 9).

    Attributes:
        name: of the row.
        method: a method with beta and gamma that does not read U.
        beta: values of the grid's first axis.
        gamma: values of its second axis.
        settings: other settings of the method; in a file with `target.labelled`, `v_trains_trunk`
            is true unless given.
        paper: the paper's mean and standard error by k, in per cent.
        paper_clips: the same per clip rather than per frame.
    """

    name: Name = "GradMix"
    method: str = "gradmix"
    beta: Annotated[tuple[NotNegative, ...], Field(min_length=1), Different] = (5, 7, 10)
    gamma: Annotated[tuple[float, ...], Field(min_length=1), Different] = (0.0, 0.4, 0.8)
    settings: dict[str, Any] = Field(default_factory=dict)
    paper: Paper = Field(default_factory=dict)
    paper_clips: Paper = Field(default_factory=dict)

    @field_validator("method")
    @classmethod
    def _method_has_the_grid(cls, method: str) -> str:
        # Nothing is trained on U before pseudo-labelling.
        return one_of(_with_the_grid(), method)

    @field_validator("settings")
    @classmethod
    def _settings_fit(cls, settings: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if {"method", *GRID} <= info.data.keys():
            corner = {name: info.data[name][0] for name in GRID}
            check_settings(info.data["method"], settings, elsewhere=corner)
        return settings

    @property
    def cells(self) -> list[dict[str, Any]]:
        """Method settings of all cells, with gamma varying fastest."""
        return [
            {**self.settings, "beta": float(beta), "gamma": float(gamma)}
            for beta in self.beta
            for gamma in self.gamma
        ]

    @property
    def middle(self) -> dict[str, Any]:
        """The cell in the middle of both axes."""
        return self.cells[len(self.beta) // 2 * len(self.gamma) + len(self.gamma) // 2]

    def cell_name(self, cell: dict[str, Any]) -> str:
        """The name of a cell."""
        return f"{self.name} beta={cell['beta']:g} gamma={cell['gamma']:g}"


Share = Annotated[float, Field(gt=0, lt=1)]


class Ensemble(Frozen):
    """Pseudo-labels by the best models of the grid.

    Attributes:
        r: number of models in the ensemble.
        threshold: probability that a class must exceed in all of them.
        enlarged_v: samples per class in V after adding pseudo-labelled ones.
        r_sweep: ensemble sizes in figure 4.
        if_none_agree: whether final trainings on hard labels stop, or use soft labels, if the
            members agree on no sample.
        precision: share of correct labels to prove in the report, by held-out labels.
        confidence: probability with which that precision must hold.
    """

    r: Positive = 3
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.8
    enlarged_v: Positive = 100
    r_sweep: Annotated[tuple[Positive, ...], Different] = ()
    if_none_agree: Literal["stop", "soft"] = "stop"
    precision: Annotated[Share | None, LATER] = None
    confidence: Annotated[Share, LATER] = 0.95


class Final(Frozen):
    """A final training on everything, with hard or soft pseudo-labels.

    Attributes:
        name: of the row.
        labels: kind of pseudo-labels it is trained on.
        method: by default the first stage's.
        settings: settings of the method besides beta and gamma, which are the best cell's.
        search: values of settings to search on hyper-validation, in every combination.
        learning_rates: rates to search too; by default the best cell's is used.
        paper: the paper's mean and standard error by k, in per cent.
        paper_clips: the same per clip rather than per frame.
    """

    name: Name
    labels: Literal["hard", "soft"]
    method: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    search: Annotated[Search, LATER] = Field(default_factory=dict)
    learning_rates: Annotated[Rates | None, LATER] = None
    paper: Paper = Field(default_factory=dict)
    paper_clips: Paper = Field(default_factory=dict)

    @field_validator("method")
    @classmethod
    def _method_reads_everything(cls, method: str | None) -> str | None:
        return None if method is None else one_of(_on_everything(), method)


class Outputs(Frozen):
    """Tables and figures to make, by the paper's numbers, and studies beyond the paper.

    Attributes:
        rows: names of the rows to train, besides the first stage's; by default all.
        tables: 1 and 2 for images, 3 for clips.
        figures: 3 for curves, 4 for ensemble sizes.
        studies: `rho` asks whether rho predicts what a step does, `hyper_validation` how many
            labels selection needs, `sources` whether each source helps, `labels` what a label is
            worth.
        label_k: labelled samples per class of the study `labels`.
    """

    rows: Annotated[Annotated[tuple[Name, ...], Different] | None, LATER] = None

    tables: Annotated[tuple[Literal[1, 2, 3], ...], Different] = (1, 2)
    figures: Annotated[tuple[Literal[3, 4], ...], Different] = (3,)
    studies: Annotated[tuple[Study, ...], Different] = ()
    label_k: Annotated[Annotated[tuple[Positive, ...], Field(min_length=3), Different], LATER] = (
        *(1, 2, 5, 10, 20),
    )
