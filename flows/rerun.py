"""Rerun one cell of the grid and exactly what is made from it."""

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
        beta: of Eq. 9.
        gamma: of Eq. 9.
        k: labels a class; None: all of the experiment's.
        draw: of V; None: all of the experiment's.
    """

    beta: float
    gamma: float
    k: int | None = None
    draw: int | None = None

    @classmethod
    def read(cls, text: str) -> "Cell":
        """Read a cell from words such as `beta=10,gamma=0.6,k=3,draw=0`.

        Raises:
            SettingsError: if they are others.
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
        """What its trainings are executed for.

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
                f"--cell: expected beta one of {_said(stage.beta)}, gamma one of "
                f"{_said(stage.gamma)}, k one of {_said(target.k)} and draw below {target.draws}, "
                f"found {self.words}; correct it."
            )
        return [cell_subject(stage.name, k, draw, wanted) for k in ks for draw in draws]

    def _of_labelled(self, spec: RunSpec) -> list[Subject]:
        """The cell of the only V that there is, of labelled files as they are."""
        if self.k is not None or self.draw is not None:
            raise SettingsError(
                "--cell: expected beta and gamma alone, because V is the labelled files, found "
                f"{self.words}; leave k and draw out."
            )
        axes = axes_of({"beta": self.beta, "gamma": self.gamma})
        return [Subject(name=spec.experiment.first_stage.name, settings=tuple(axes.items()))]

    @property
    def words(self) -> str:
        """The words that `read` takes."""
        place = [f"{name}={value}" for name in PLACE if (value := getattr(self, name)) is not None]
        return ",".join([f"beta={self.beta:g}", f"gamma={self.gamma:g}", *place])


def made_from(entries: Sequence[PlanEntry], subjects: Collection[Subject]) -> list[PlanEntry]:
    """The stages of these subjects and everything that is made from them, in the plan's order."""
    identities = {e.artifact.identity for e in entries if e.artifact and e.subject in subjects}
    reached: dict[Subject, PlanEntry] = {}
    for entry in entries:
        # A cell that is also a candidate of the learning-rate search is one training.
        same = entry.artifact is not None and entry.artifact.identity in identities
        if same or entry.subject in subjects or any(used in reached for used in entry.uses):
            reached[entry.subject] = entry
    return list(reached.values())


def forget(entries: Sequence[PlanEntry], home: Path, storage: Storage | None) -> list[Subject]:
    """Remove the results of stages of a plan, the last first; returns the stages' subjects."""
    store = Store(home, storage)
    # A kill in between must not leave a result whose inputs are gone.
    for entry in reversed(entries):
        if entry.artifact is not None:
            # Another reproduction may be about to put it in place.
            with locked(identity_lock(home, entry.artifact.identity)):
                store.forget(entry.artifact)
    return [entry.subject for entry in entries]


def forgotten(entries: Sequence[PlanEntry], subjects: Collection[Subject]) -> list[PlanEntry]:
    """The plan after the results of some stages have been removed."""
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
        beta: of the cell.
        gamma: of the cell.
        experiment: a packaged experiment or the path of a TOML file.
        scale: a table under its `[scales]`; null for a file without.
        k: labels a class; all if not given.
        draw: of V; all if not given.
        force: run it even if it is finished.
        data: folder of the real data; the embedded data if not given.
        home: folder for all output; GRADMIX_HOME or `runs` if not given.
        engine: where trainings run.

    Returns:
        The folder of the reproduction's record.
    """
    request = RunRequest(experiment=experiment, scale=scale, data=data)
    spec, folder = resolve_in(request, home)
    subjects = Cell(beta, gamma, k, draw).subjects(spec)
    if force:
        storage = open_storage()
        forget(made_from(make_plan(spec, folder, storage), subjects), folder, storage)
    return str(run(spec, folder, engine))


def _said(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
