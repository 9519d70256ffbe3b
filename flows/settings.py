"""The settings of an experiment, typed and frozen."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from data.catalog import READERS
from flows.findings import Finding, not_among, refuse, repeated, said, shown
from flows.locate import Key
from flows.method_settings import check_settings, fields_of
from flows.values import (
    Classes,
    Different,
    Frozen,
    Name,
    NotNegative,
    Paper,
    Positive,
    Rates,
    Word,
    one_of,
)
from gradmix.exact import MOST_SOURCES
from gradmix.methods import METHODS
from gradmix.problem import TARGET_HEAD, LabelSpace, Problem

RESERVED = ("V", "U", "S_u", TARGET_HEAD)
GRID = ("beta", "gamma")

# A draw's seed is about 10,000 times the seed and must fit 64 bits.
_LARGEST_SEED = 2**32 - 1


class Dataset(Frozen):
    """Which reader gives a data set: `reader` on real files, `embedded` without."""

    reader: str
    embedded: str

    @field_validator("reader")
    @classmethod
    def _reader_exists(cls, name: str) -> str:
        return one_of(list(READERS), name)

    @field_validator("embedded")
    @classmethod
    def _embedded_exists(cls, name: str) -> str:
        return one_of([known for known, reader in READERS.items() if reader.embedded], name)

    def reader_on(self, *, real: bool) -> str:
        """Name of the reader that applies."""
        return self.reader if real else self.embedded

    @property
    def classes(self) -> list[str]:
        """The classes that both readers give."""
        embedded = READERS[self.embedded].classes
        return [name for name in READERS[self.reader].classes if name in embedded]


class Source(Frozen):
    """One labelled source: the training split of a data set, limited to some classes."""

    name: Word
    dataset: str
    classes: Classes

    @field_validator("name")
    @classmethod
    def _name_is_free(cls, name: str) -> str:
        if name in RESERVED:
            expected = f"a name that is not {', '.join(RESERVED)}"
            refuse([Finding((), said(expected, shown(name), "rename the source"))])
        return name


class Target(Frozen):
    """The target's data set, classes and roles; `hyper_validation` counts all its samples."""

    dataset: str
    classes: Classes
    hyper_validation: Positive
    k: Annotated[tuple[Positive, ...], Field(min_length=1), Different]
    draws: Positive


class Network(Frozen):
    """The digit network's sizes."""

    widths: Annotated[tuple[Positive, ...], Field(min_length=4, max_length=4)]
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
    method: str
    settings: dict[str, Any] = Field(default_factory=dict)
    learning_rates: Rates | None = None
    paper: Paper = Field(default_factory=dict)

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


class FirstStage(Frozen):
    """The grid over beta and gamma (Eq. 9)."""

    name: Name
    method: str
    beta: Annotated[tuple[NotNegative, ...], Field(min_length=1), Different]
    gamma: Annotated[tuple[float, ...], Field(min_length=1), Different]
    settings: dict[str, Any] = Field(default_factory=dict)
    paper: Paper = Field(default_factory=dict)

    @field_validator("method")
    @classmethod
    def _method_has_the_grid(cls, method: str) -> str:
        return one_of([name for name in METHODS if set(GRID) <= set(fields_of(name))], method)

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

    def cell_name(self, cell: dict[str, Any]) -> str:
        """A cell in words."""
        return f"{self.name} beta={cell['beta']:g} gamma={cell['gamma']:g}"


class Ensemble(Frozen):
    """Pseudo-labels: R members, confidence threshold, samples a class in the enlarged V."""

    r: Positive
    threshold: Annotated[float, Field(ge=0, lt=1)]
    enlarged_v: Positive


class Final(Frozen):
    """A final training on everything, with hard or soft pseudo-labels."""

    name: Name
    labels: Literal["hard", "soft"]
    paper: Paper = Field(default_factory=dict)


class Experiment(Frozen):
    """One experiment at one scale."""

    name: Word
    title: Name
    scale: Word
    seed: Annotated[int, Field(ge=0, le=_LARGEST_SEED)]
    datasets: dict[Word, Dataset]
    sources: Annotated[tuple[Source, ...], Field(min_length=1, max_length=MOST_SOURCES)]
    target: Target
    network: Network
    training: Training
    baselines: tuple[Baseline, ...]
    first_stage: FirstStage
    ensemble: Ensemble
    final: tuple[Final, ...]

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        refuse([*self._wrong_data(), *self._wrong_names(), *self._wrong_methods()])
        refuse(self._wrong_problem())
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
        entries: list[Baseline | FirstStage | Final] = [
            *self.baselines,
            self.first_stage,
            *self.final,
        ]
        return {entry.name: entry.paper for entry in entries if entry.paper}

    def _wrong_data(self) -> Iterator[Finding]:
        """Data sets that are not listed, classes that they do not have."""
        for key, part in self._domains():
            if part.dataset not in self.datasets:
                yield not_among((*key, "dataset"), part.dataset, list(self.datasets))
                continue
            known = self.datasets[part.dataset].classes
            for place, name in enumerate(part.classes):
                if name not in known:
                    yield not_among((*key, "classes", place), name, known)

    def _wrong_names(self) -> Iterator[Finding]:
        """Names of sources or of rows that are given twice."""
        sources = [(("sources", i, "name"), part.name) for i, part in enumerate(self.sources)]
        rows: list[tuple[Key, str]] = [
            *((("baselines", i, "name"), row.name) for i, row in enumerate(self.baselines)),
            (("first_stage", "name"), self.first_stage.name),
            *((("final", i, "name"), row.name) for i, row in enumerate(self.final)),
        ]
        for named in (sources, rows):
            for place in repeated([name for _, name in named]):
                key, name = named[place]
                yield Finding(key, said("names that differ", f"{shown(name)} again", "rename one"))

    def _wrong_methods(self) -> Iterator[Finding]:
        """Baselines that start from a model which is not trained before them."""
        methods = [baseline.method for baseline in self.baselines]
        for i, method in enumerate(methods):
            start = METHODS[method].method.starts_from
            if start is not None and start not in methods[:i]:
                expected = f"a baseline with method {start} before it, because it starts from one"
                found = f"it further on: {start}" if start in methods else "none"
                yield Finding(
                    ("baselines", i, "method"), said(expected, found, "put one before it")
                )

    def _wrong_problem(self) -> Iterator[Finding]:
        """No source with the target's label space, labels of U in a source, R above the grid."""
        try:
            _ = self.problem
        except ValueError as error:
            yield Finding(("sources",), str(error))
        target = self.datasets[self.target.dataset]
        for i, source in enumerate(self.sources):
            data = self.datasets[source.dataset]
            same = data.reader == target.reader or data.embedded == target.embedded
            shared = [name for name in source.classes if same and name in self.target.classes]
            if shared:
                expected = "no class of the target's, because its data set is the target's"
                found = ", ".join(map(shown, shared))
                advice = "leave them out, they would show the labels of U"
                yield Finding(("sources", i, "classes"), said(expected, found, advice))
        cells = len(self.first_stage.cells)
        if self.ensemble.r > cells:
            expected = f"at most {cells}, the cells of the grid at scale {self.scale}"
            advice = "lower it or widen first_stage.beta or gamma"
            yield Finding(("ensemble", "r"), said(expected, str(self.ensemble.r), advice))

    def _domains(self) -> list[tuple[Key, Source | Target]]:
        """Sources and target with their keys."""
        sources: list[tuple[Key, Source | Target]] = [
            (("sources", i), source) for i, source in enumerate(self.sources)
        ]
        return [*sources, (("target",), self.target)]
