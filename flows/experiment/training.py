"""The trainings of an experiment file, typed and frozen: network, rows, grid, ensemble, outputs."""

import dataclasses
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

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
from gradmix.methods import METHODS
from tasks.networks.trunks import TRUNKS, trunk_named
from tasks.networks.weights import NONE

GRID = ("beta", "gamma")


def _with_the_grid() -> list[str]:
    """Methods without U that have the grid's axes among their settings."""
    return [
        name
        for name, entry in METHODS.items()
        if set(GRID) <= set(fields_of(name)) and not entry.method.uses_unlabelled
    ]


def _on_everything() -> list[str]:
    """Methods that read every source and V, and start from random weights."""
    return [
        name
        for name, entry in METHODS.items()
        if entry.method.source_scope == "all"
        and entry.method.uses_target
        and entry.method.starts_from is None
    ]


class Network(Frozen):
    """The trunk: which one, from which weights, and how much of it is trained.

    Attributes:
        trunk: a name that we know, or a factory `package.module:function`.
        settings: of the trunk.
        weights: `none`, `imagenet`, or the path of a file.
        normalisation: of images; the trunk's own if it is not given.
        frozen: the last part of the trunk that is not trained; empty: all of it is.
    """

    trunk: Name = "convnet"
    settings: dict[str, Any] = Field(default_factory=dict)
    weights: Name = NONE
    normalisation: Literal["image", "imagenet", "half"] | None = None
    frozen: str = ""

    @field_validator("trunk")
    @classmethod
    def _trunk_is_known(cls, name: str) -> str:
        # Whether a factory is there is seen when it is wanted: a look at it runs its code.
        return name if ":" in name else one_of([*TRUNKS, "package.module:function"], name)

    @field_validator("settings")
    @classmethod
    def _settings_fit(cls, settings: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        entry = TRUNKS.get(info.data.get("trunk", ""))
        if entry and entry.config:
            check_fields(info.data["trunk"], entry.config, settings)
        return settings

    @property
    def description(self) -> dict[str, Any]:
        """What the trunk's output depends on, besides files: plain JSON, defaults written out."""
        entry = trunk_named(self.trunk)
        settings = self.model_dump(mode="json")["settings"]
        if entry.config:
            settings = dataclasses.asdict(entry.config(**settings))
        return {
            "trunk": self.trunk,
            "settings": settings,
            "normalisation": self.normalisation or entry.normalisation,
            "frozen": self.frozen,
        }


class Training(Frozen):
    """Length, batches and recipe of every training.

    The recipe is the paper's unless it is given: plain SGD at one rate. `fine_tuning_rates` are the
    learning rates of methods that start from another's model; none: those of all others.
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
            expected = f"fewer than the training's {whole} steps"
            refuse([Finding((), said(expected, str(steps), "lower it"))])
        return steps


class Baseline(Frozen):
    """A row of the table, trained for every draw, learning rate and combination of `search`."""

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
    """The grid over beta and gamma (Eq. 9)."""

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
        # Before there are pseudo-labels nothing is trained on U.
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
        """Method settings of every cell, beta outermost."""
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
    """Pseudo-labels: R members, confidence threshold, samples a class in the enlarged V.

    `r_sweep` are the R of figure 4. Where the members agree on no sample that is left for S_u,
    final trainings on hard labels `stop`, or take `soft` labels instead. With `precision`, the
    report says which labels are shown to have it, with that `confidence`, by held-out labels.
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

    `method` is the first stage's unless another is given; `settings` are besides the grid's, and
    those under `search` are searched, as are `learning_rates`; without any, the rate is that of the
    best cell.
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

    `rows` are names of the table's rows, besides the first stage's; none: all of them.
    """

    rows: Annotated[Annotated[tuple[Name, ...], Different] | None, LATER] = None

    tables: Annotated[tuple[Literal[1, 2, 3], ...], Different] = (1, 2)
    figures: Annotated[tuple[Literal[3, 4], ...], Different] = (3,)
    studies: Annotated[tuple[Literal["rho", "hyper_validation"], ...], Different] = ()
