"""Settings of an experiment at one scale, and constraints between their parts."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from data.images.pixels import IMAGE_SIZE
from flows.experiment.datasets import Dataset, Images, Source, Target
from flows.experiment.fields import LATER, THE_TARGETS, Frozen, Name, Paper, Rates, Word
from flows.experiment.issues import Finding, not_among, repeated, said, shown
from flows.experiment.method_settings import check_settings, fields_of
from flows.experiment.search import Search, check_search
from flows.experiment.toml_lines import Key
from flows.experiment.training import (
    GRID,
    Baseline,
    Ensemble,
    Final,
    FirstStage,
    Network,
    Outputs,
    Training,
)
from flows.experiment.validation import findings_in, refuse
from gradmix.declarations.methods import METHODS
from gradmix.problem import LabelSpace, Problem

# A draw's seed is about 10,000 times the seed and must fit 64 bits.
_LARGEST_SEED = 2**32 - 1


class Experiment(Frozen):
    """One experiment at one scale.

    Attributes:
        name: name in runs, folders and the registered model; by default the file's.
        title: title of the report; by default the name.
        note: opening text of the report.
        scale: which of the file's scales this is; not a key of the file.
        seed: seed of every random choice.
        datasets: the data sets, by name.
        sources: labelled data to learn from.
        target: the data to classify.
        network: the network to train.
        training: length and recipe of trainings.
        baselines: rows of the table that the others are compared with.
        first_stage: the grid of models trained before pseudo-labelling.
        ensemble: how the best of them label U.
        final: rows trained on everything.
        outputs: what the report shows.
        images: how photos and clips become images.
        partial: whether to continue with the existing files if some are missing.
        search: whether to apply the rows' `search`; if not, settings keep their values.
    """

    name: Word
    title: Name
    note: Name | None = None
    scale: Word
    seed: Annotated[int, Field(ge=0, le=_LARGEST_SEED)] = 0
    datasets: dict[Word, Dataset]
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    target: Target
    network: Network = Field(default_factory=Network)
    training: Training = Field(default_factory=Training)
    baselines: tuple[Baseline, ...] = ()
    first_stage: FirstStage = Field(default_factory=FirstStage)
    ensemble: Ensemble = Field(default_factory=Ensemble)
    final: tuple[Final, ...] = (Final(name="GradMix w/ hard label", labels="hard"),)
    outputs: Outputs = Field(default_factory=Outputs)
    images: Images | None = None
    partial: bool = False
    search: Annotated[bool, LATER] = True

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        wrong_data, wrong_names = list(self._wrong_data()), list(self._wrong_names())
        refuse(
            [
                *wrong_data,
                *wrong_names,
                *self._wrong_methods(),
                *self._wrong_finals(),
                *([] if wrong_names else self._wrong_rows()),
                *self._wrong_ensembles(),
                *self._wrong_studies(),
                *([] if wrong_data else self._wrong_tables()),
                *([] if wrong_data or not self.classes_are_known else self._wrong_problem()),
            ]
        )
        return self

    @property
    def classes_are_known(self) -> bool:
        """Whether all classes are named; otherwise some are looked up in the data."""
        return not any(isinstance(part.classes, str) for _, part in self._domains())

    def with_classes(self, known: Mapping[str, tuple[str, ...]]) -> "Experiment":
        """The experiment with all classes named.

        Args:
            known: classes of every data set.

        Raises:
            ValidationError: if a named class is missing, or no source has the target's.
        """
        target = self.target.classes
        of_target = known[self.target.dataset] if isinstance(target, str) else target

        def named(part: Source | Target) -> tuple[str, ...]:
            if isinstance(part.classes, str):
                return of_target if part.classes == THE_TARGETS else known[part.dataset]
            return part.classes

        parts = [(key, part, named(part)) for key, part in self._domains()]
        refuse(
            not_among((*key, "classes"), name, known[part.dataset])
            for key, part, names in parts
            for name in names
            if name not in known[part.dataset]
        )
        *sources, whole = [part.model_dump() | {"classes": names} for _, part, names in parts]
        values = {**self.model_dump(), "sources": sources, "target": whole}
        return Experiment.model_validate(values)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the images: channels, height, width."""
        if self.datasets[self.target.dataset].media == "arrays" or self.images is None:
            return (1, IMAGE_SIZE, IMAGE_SIZE)
        return (3, self.images.side, self.images.side)

    @property
    def problem(self) -> Problem:
        """Label spaces and heads; ValueError if no source has the target's label space."""
        sources = {source.name: LabelSpace(tuple(source.classes)) for source in self.sources}
        return Problem(sources, LabelSpace(tuple(self.target.classes)))

    def searched(self, row: Baseline | Final) -> Search:
        """Settings to search for a row; none if `search = false`."""
        return row.search if self.search else {}

    def rates_of(self, row: Baseline | Final) -> Rates:
        """Learning rates to search for a row; empty for a final that uses the first stage's."""
        if isinstance(row, Final):
            return (row.learning_rates or ()) if self.search else ()
        training = self.training
        tuning = METHODS[row.method].starts_from is not None
        common = (training.fine_tuning_rates if tuning else None) or training.learning_rates
        return row.learning_rates or common

    def draws_of(self, row: Baseline | Final) -> int:
        """Number of draws of a row, which may be smaller for rows that read U."""
        draws = self.target.draws
        with_u = isinstance(row, Final) or METHODS[row.method].uses_unlabelled
        return min(draws, self.target.draws_with_u or draws) if with_u else draws

    @property
    def rows(self) -> list[str]:
        """Names of the table's rows, in order."""
        finals = [final.name for final in self.final]
        return [*(baseline.name for baseline in self.baselines), self.first_stage.name, *finals]

    @property
    def paper(self) -> dict[str, Paper]:
        """The paper's figures by row; of frames if the target has clips."""
        return {entry.name: entry.paper for entry in self._entries if entry.paper}

    @property
    def paper_clips(self) -> dict[str, Paper]:
        """The paper's figures for clips by row."""
        return {entry.name: entry.paper_clips for entry in self._entries if entry.paper_clips}

    @property
    def _entries(self) -> list[Baseline | FirstStage | Final]:
        return [*self.baselines, self.first_stage, *self.final]

    @property
    def swept(self) -> Final | None:
        """The row shown for every R in figure 4: the first with hard labels."""
        return next((final for final in self.final if final.labels == "hard"), None)

    def _wrong_finals(self) -> Iterator[Finding]:
        """Problems: settings of final trainings that their methods lack."""
        stage = self.first_stage
        given = {**stage.settings, **{name: getattr(stage, name)[0] for name in GRID}}
        for i, final in enumerate(self.final):
            method = final.method or stage.method
            own = {*final.settings, *final.search} - {*GRID}
            elsewhere = {name: given[name] for name in fields_of(method) if name in {*given} - own}
            check = partial(check_settings, method, final.settings, elsewhere=elsewhere)
            wrong = _found_by(check, ("final", i, "settings"))
            check = partial(check_search, method, final.settings, final.search, elsewhere)
            yield from wrong or _found_by(check, ("final", i, "search"))

    def _wrong_data(self) -> Iterator[Finding]:
        """Problems: data sets that are not listed, or lack a class."""
        kinds = {name: dataset.media == "arrays" for name, dataset in self.datasets.items()}
        for key, part in self._domains():
            if part.dataset not in self.datasets:
                yield not_among((*key, "dataset"), part.dataset, list(self.datasets))
                continue
            if kinds[part.dataset] != kinds.get(self.target.dataset, kinds[part.dataset]):
                found = "arrays" if kinds[part.dataset] else "photos or clips"
                expected = "data of the target's kind: arrays, or photos and clips"
                yield Finding((*key, "dataset"), said(expected, found, "take another data set"))
            known = self.datasets[part.dataset].classes
            if known is None and self.images is None:
                expected, advice = "a table on how photos and clips become images", "add [images]"
                yield Finding(("images",), said(expected, "none", advice))
            if known is None or isinstance(part.classes, str):
                continue
            for place, name in enumerate(part.classes):
                if name not in known:
                    yield not_among((*key, "classes", place), name, known)

    def _wrong_names(self) -> Iterator[Finding]:
        """Problems: duplicate names of sources or rows."""
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
        """Problems: baselines whose initial model is not trained before them."""
        methods = [baseline.method for baseline in self.baselines]
        for i, method in enumerate(methods):
            start = METHODS[method].starts_from
            if start is not None and start not in methods[:i]:
                expected = f"a baseline with method {start} before it, because it starts from one"
                found = f"it further on: {start}" if start in methods else "none"
                yield Finding(
                    ("baselines", i, "method"), said(expected, found, "put one before it")
                )

    def _wrong_problem(self) -> Iterator[Finding]:
        """Problems: no source with the target's label space, or labels of U in a source."""
        try:
            _ = self.problem
        except ValueError as error:
            yield Finding(("sources",), str(error))
        target = self.datasets[self.target.dataset]
        for i, source in enumerate(self.sources):
            data = self.datasets[source.dataset]
            same = (data.reader, data.folder) == (target.reader, target.folder)
            same = same or (data.embedded is not None and data.embedded == target.embedded)
            shared = [name for name in source.classes if same and name in self.target.classes]
            if shared:
                expected = "no class of the target's, because its data set is the target's"
                found = ", ".join(map(shown, shared))
                advice = "leave them out, they would show the labels of U"
                yield Finding(("sources", i, "classes"), said(expected, found, advice))

    def _wrong_rows(self) -> Iterator[Finding]:
        """Problems: rows of the outputs that do not exist."""
        for i, name in enumerate(self.outputs.rows or ()):
            if name not in self.rows:
                yield not_among(("outputs", "rows", i), name, self.rows)

    def _wrong_tables(self) -> Iterator[Finding]:
        """Problems: table 1 for clips or table 3 for images, which show the same rows."""
        clips = self.datasets[self.target.dataset].media == "clips"
        unfit, fit = (1, 3) if clips else (3, 1)
        if unfit in self.outputs.tables:
            place = self.outputs.tables.index(unfit)
            of = "clips" if clips else "images"
            expected, advice = f"table {fit}, that of a target of {of}", f"name {fit} in its place"
            yield Finding(("outputs", "tables", place), said(expected, str(unfit), advice))

    def _wrong_ensembles(self) -> Iterator[Finding]:
        """Problems: R above the size of the grid, or missing settings of figure 4."""
        cells = len(self.first_stage.cells)
        sizes: list[tuple[Key, int]] = [(("ensemble", "r"), self.ensemble.r)]
        if 4 in self.outputs.figures:
            sweep = self.ensemble.r_sweep
            sizes += [(("ensemble", "r_sweep", i), r) for i, r in enumerate(sweep)]
            if not sweep:
                expected, advice = "the R of figure 4", "give them, or leave figure 4 out"
                yield Finding(("ensemble", "r_sweep"), said(expected, "none", advice))
            if self.swept is None:
                expected, advice = "a row with hard labels, for figure 4", "add one"
                yield Finding(("final",), said(expected, "none", f"{advice}, or leave it out"))
        for key, r in sizes:
            if r > cells:
                expected = f"at most {cells}, the cells of the grid at scale {self.scale}"
                advice = "lower it or widen first_stage.beta or gamma"
                yield Finding(key, said(expected, str(r), advice))

    def _wrong_studies(self) -> Iterator[Finding]:
        """Problems: a study of sources with only one, or studies without a test split."""
        for place, study in enumerate(self.outputs.studies):
            if study in {"sources", "labels"} and not self.target.has_test:
                expected = "a target with a test split, on which its models are compared"
                advice = "leave the study out"
                yield Finding(("outputs", "studies", place), said(expected, "none", advice))
        if "sources" in self.outputs.studies and len(self.sources) < 2:
            place = self.outputs.studies.index("sources")
            expected, advice = "at least two sources, to leave one out", "leave the study out"
            yield Finding(("outputs", "studies", place), said(expected, "one", advice))

    def _domains(self) -> list[tuple[Key, Source | Target]]:
        """Sources and target with their keys."""
        sources: list[tuple[Key, Source | Target]] = [
            (("sources", i), source) for i, source in enumerate(self.sources)
        ]
        return [*sources, (("target",), self.target)]


def _found_by(check: Callable[[], None], place: Key) -> list[Finding]:
    """Findings of a check, with a prefix to their keys."""
    try:
        check()
    except ValidationError as error:
        found = findings_in(error.errors())
        return [Finding((*place, *entry.key), entry.text) for entry in found]
    return []
