"""The settings of an experiment, typed and frozen."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator, model_validator

from data.catalog import find_reader
from gradmix.methods import method_named
from gradmix.problem import LabelSpace, Problem

Name = Annotated[str, Field(min_length=1)]
Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[float, Field(ge=0)]
Classes = Annotated[tuple[Name, ...], Field(min_length=1)]
Rates = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]
Paper = dict[str, tuple[float, ...]]
"""The paper's mean, and standard error where it gives one, by k; in per cent."""

RESERVED = ("V", "U", "S_u")


class Frozen(BaseModel):
    """Values as they are written: no conversions, no unknown keys, no changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Dataset(Frozen):
    """Which reader gives a data set: `reader` on real files, `embedded` without."""

    reader: Name
    embedded: Name

    @model_validator(mode="after")
    def _readers_exist(self) -> Self:
        find_reader(self.reader)
        if not find_reader(self.embedded).embedded:
            raise ValueError(f"embedded must name an embedded reader, found {self.embedded!r}.")
        return self

    def reader_on(self, *, real: bool) -> str:
        """Name of the reader that applies."""
        return self.reader if real else self.embedded


class Source(Frozen):
    """One labelled source: the training split of a data set, limited to some classes."""

    name: Name
    dataset: Name
    classes: Classes


class Target(Frozen):
    """The target's data set, classes and roles; `hyper_validation` counts all its samples."""

    dataset: Name
    classes: Classes
    hyper_validation: Positive
    k: Annotated[tuple[Positive, ...], Field(min_length=1)]
    draws: Positive


class Network(Frozen):
    """The digit network's sizes."""

    widths: tuple[Positive, Positive, Positive, Positive]
    hidden: Positive
    norm: Literal["batch", "none"]


class Training(Frozen):
    """Length, batches and optimiser of every training."""

    steps: Positive
    validate_every: Positive
    batch_size: Positive
    v_whole_up_to: Positive
    momentum: Annotated[float, Field(ge=0, lt=1)]
    learning_rates: Rates


class Baseline(Frozen):
    """A row of the table trained once per draw and learning rate."""

    name: Name
    method: Name
    settings: dict[str, Any] = {}
    learning_rates: Rates | None = None
    paper: Paper = {}

    @model_validator(mode="after")
    def _settings_fit(self) -> Self:
        check_method_settings(self.method, self.settings)
        return self


class FirstStage(Frozen):
    """The grid over beta and gamma (Eq. 9)."""

    name: Name
    method: Name
    beta: Annotated[tuple[NotNegative, ...], Field(min_length=1)]
    gamma: Annotated[tuple[float, ...], Field(min_length=1)]
    settings: dict[str, Any] = {}
    paper: Paper = {}

    @model_validator(mode="after")
    def _settings_fit(self) -> Self:
        for cell in self.cells:
            check_method_settings(self.method, cell)
        return self

    @property
    def cells(self) -> list[dict[str, Any]]:
        """Method settings of every cell, beta outermost."""
        return [
            {**self.settings, "beta": float(beta), "gamma": float(gamma)}
            for beta in self.beta
            for gamma in self.gamma
        ]


class Ensemble(Frozen):
    """Pseudo-labels: R members, confidence threshold, samples a class in the enlarged V."""

    r: Positive
    threshold: Annotated[float, Field(ge=0, lt=1)]
    enlarged_v: Positive


class Final(Frozen):
    """A final training on everything, with hard or soft pseudo-labels."""

    name: Name
    labels: Literal["hard", "soft"]
    paper: Paper = {}


class Experiment(Frozen):
    """One experiment at one scale."""

    name: Name
    title: Name
    scale: Name
    seed: Annotated[int, Field(ge=0)]
    datasets: dict[str, Dataset]
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    target: Target
    network: Network
    training: Training
    baselines: tuple[Baseline, ...]
    first_stage: FirstStage
    ensemble: Ensemble
    final: tuple[Final, ...]

    @field_validator("sources")
    @classmethod
    def _names_differ(cls, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        names = [source.name for source in sources]
        taken = [name for name in names if names.count(name) > 1 or name in RESERVED]
        if taken:
            raise ValueError(
                f"source names must differ and not be {', '.join(RESERVED)}, found {taken[0]!r}."
            )
        return sources

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        self._check_classes()
        _ = self.problem
        self._check_rows()
        cells = len(self.first_stage.cells)
        if self.ensemble.r > cells:
            raise ValueError(
                f"ensemble.r must not exceed the {cells} cells of the grid, "
                f"found {self.ensemble.r}."
            )
        return self

    @property
    def problem(self) -> Problem:
        """Label spaces and heads; ValueError if no source has the target's label space."""
        sources = {source.name: LabelSpace(source.classes) for source in self.sources}
        return Problem(sources, LabelSpace(self.target.classes))

    @property
    def rows(self) -> list[str]:
        """Names of the table's rows, in order."""
        finals = [final.name for final in self.final]
        return [*(baseline.name for baseline in self.baselines), self.first_stage.name, *finals]

    @property
    def paper(self) -> dict[str, Paper]:
        """The paper's figures by row."""
        entries = [*self.baselines, self.first_stage, *self.final]
        return {entry.name: entry.paper for entry in entries if entry.paper}

    def _check_classes(self) -> None:
        for part in (*self.sources, self.target):
            if part.dataset not in self.datasets:
                raise ValueError(
                    f"dataset must be one of {', '.join(self.datasets)}, found {part.dataset!r}."
                )
            dataset = self.datasets[part.dataset]
            known = find_reader(dataset.reader).classes
            unknown = [name for name in part.classes if name not in known]
            if unknown:
                raise ValueError(
                    f"classes of {part.dataset} are {', '.join(known)}, found {unknown[0]!r}."
                )

    def _check_rows(self) -> None:
        if len(set(self.rows)) != len(self.rows):
            raise ValueError(f"row names must differ, found {', '.join(self.rows)}.")
        methods = [baseline.method for baseline in self.baselines]
        for baseline in self.baselines:
            start = method_named(baseline.method).method.starts_from
            if start is not None and start not in methods[: methods.index(baseline.method)]:
                raise ValueError(
                    f"{baseline.name!r} starts from a {start} model: "
                    f"put a baseline with that method before it."
                )


def check_method_settings(method: str, settings: dict[str, Any]) -> None:
    """Raise ValueError unless the settings are fields of the method's config, in range."""
    config = method_named(method).config
    known = sorted(config.__dataclass_fields__)
    unknown = [name for name in settings if name not in known]
    if unknown:
        expected = f"one of {', '.join(known)}" if known else "none"
        raise ValueError(f"settings of {method}: expected {expected}, found {unknown[0]!r}.")
    TypeAdapter(config).validate_python(settings)
