"""Rerun one cell of the grid and everything made from it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from prefect import flow

from flows.experiment.run_request import Engine, RunRequest
from flows.experiment.run_spec import RunSpec
from flows.experiment.toml_file import SettingsError
from flows.pipeline.plan import PlanEntry, make_plan
from flows.pipeline.subjects import axes_of, cell_subject
from flows.reproduce import RUNNER, resolve_in, run
from tasks.engine.runtime import identity_lock
from tasks.storage.artifacts import Store
from tasks.storage.locks import locked
from tasks.storage.remote import Storage, open_storage
from tasks.subjects import Subject

GRID = ("beta", "gamma")
PLACE = ("k", "draw")


@dataclass(frozen=True)
class Cell:
    """A cell of the grid.

    Attributes:
        beta: beta of Eq. 9.
        gamma: gamma of Eq. 9.
        k: labels per class; None for all of the experiment's.
        draw: number of V; None for all of the experiment's.
    """

    beta: float
    gamma: float
    k: int | None = None
    draw: int | None = None

    @classmethod
    def read(cls, text: str) -> "Cell":
        """Parse a cell such as `beta=10,gamma=0.6,k=3,draw=0`.

        Raises:
            SettingsError: if the text is not a cell.
        """
        try:
            given = dict(part.split("=", 1) for part in text.replace(" ", "").split(","))
            values = {name: float(given.pop(name)) for name in GRID}
            place = {name: int(given.pop(name)) for name in PLACE if name in given}
        except (KeyError, ValueError):
            given = {text: ""}
        if given:
            raise SettingsError(
                "--cell: expected beta=...,gamma=... and, if wanted, k=...,draw=..., found "
                f"{text!r}; correct it."
            )
        return cls(values["beta"], values["gamma"], place.get("k"), place.get("draw"))

    def subjects(self, spec: RunSpec) -> list[Subject]:
        """Subjects of the cell's trainings.

        Raises:
            SettingsError: if the experiment has no such cell.
        """
        stage, target = spec.experiment.first_stage, spec.experiment.target
        wanted = {"beta": self.beta, "gamma": self.gamma}
        known = any(wanted.items() <= cell.items() for cell in stage.cells)
        ks = [k for k in target.k if self.k in {None, k}]
        draws = [draw for draw in range(target.draws) if self.draw in {None, draw}]
        if known and target.labelled is not None:
            return self._of_labelled(spec)
        if not (known and ks and draws):
            raise SettingsError(
                f"--cell: expected beta one of {_joined(stage.beta)}, gamma one of "
                f"{_joined(stage.gamma)}, k one of {_joined(target.k)} and draw below "
                f"{target.draws}, found {self.words}; correct it."
            )
        return [cell_subject(stage.name, k, draw, wanted) for k in ks for draw in draws]

    def _of_labelled(self, spec: RunSpec) -> list[Subject]:
        """Subject of the cell if V is given as labelled files."""
        if self.k is not None or self.draw is not None:
            raise SettingsError(
                "--cell: expected only beta and gamma, because V is the labelled files, found "
                f"{self.words}; leave k and draw out."
            )
        axes = axes_of({"beta": self.beta, "gamma": self.gamma})
        return [Subject(name=spec.experiment.first_stage.name, settings=tuple(axes.items()))]

    @property
    def words(self) -> str:
        """Text that `read` parses."""
        place = [f"{name}={value}" for name in PLACE if (value := getattr(self, name)) is not None]
        return ",".join([f"beta={self.beta:g}", f"gamma={self.gamma:g}", *place])


def made_from(entries: Sequence[PlanEntry], subjects: Collection[Subject]) -> list[PlanEntry]:
    """The stages of these subjects and everything made from them, in the plan's order."""
    identities = {e.artifact.identity for e in entries if e.artifact and e.subject in subjects}
    reached: dict[Subject, PlanEntry] = {}
    for entry in entries:
        # A cell may also be a candidate of the learning-rate search, as one training.
        same = entry.artifact is not None and entry.artifact.identity in identities
        if same or entry.subject in subjects or any(used in reached for used in entry.uses):
            reached[entry.subject] = entry
    return list(reached.values())


def forget(entries: Sequence[PlanEntry], home: Path, storage: Storage | None) -> list[Subject]:
    """Remove results of a plan's stages, last first; returns the stages' subjects."""
    store = Store(home, storage)
    # A kill midway must not leave a result whose inputs are gone.
    for entry in reversed(entries):
        if entry.artifact is not None:
            # Another reproduction may be about to commit it.
            with locked(identity_lock(home, entry.artifact.identity)):
                store.forget(entry.artifact)
    return [entry.subject for entry in entries]


def forgotten(entries: Sequence[PlanEntry], subjects: Collection[Subject]) -> list[PlanEntry]:
    """The plan after removing the results of some stages."""
    return [
        replace(entry, state="will run", reason="forgotten", artifact=None)
        if entry.subject in subjects
        else entry
        for entry in entries
    ]


@flow(
    name="cell",
    flow_run_name="{experiment} {scale}: beta={beta} gamma={gamma}",
    task_runner=RUNNER,
    persist_result=False,
)
def cell(
    beta: float,
    gamma: float,
    experiment: str = "digits",
    scale: str | None = "demo",
    k: int | None = None,
    draw: int | None = None,
    force: bool = False,
    data: str | None = None,
    home: str | None = None,
    engine: Engine = "workers",
) -> str:
    """Run a cell of the grid and everything made from it; finished work is reused.

    Args:
        beta: beta of the cell.
        gamma: gamma of the cell.
        experiment: a packaged experiment or the path of a TOML file.
        scale: a table under its `[scales]`; null for a file without scales.
        k: labels per class; by default all.
        draw: number of V; by default all.
        force: run the cell even if it is finished.
        data: folder of the real data; by default the embedded data.
        home: folder for all output; by default GRADMIX_HOME or `runs`.
        engine: where trainings run.

    Returns:
        Folder of the reproduction's record.
    """
    request = RunRequest(experiment=experiment, scale=scale, data=data)
    spec, folder = resolve_in(request, home)
    subjects = Cell(beta, gamma, k, draw).subjects(spec)
    if force:
        storage = open_storage()
        forget(made_from(make_plan(spec, folder, storage), subjects), folder, storage)
    return str(run(spec, folder, engine))


def _joined(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
