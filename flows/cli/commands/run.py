"""`gradmix run`: train on the user's own files, from an experiment file to a model."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import UserError
from flows.cli.commands.reproduce import resolve_and_run
from flows.cli.console import open_console, short
from flows.experiment.run_request import Engine, RunRequest
from flows.experiment.run_spec import RunSpec
from flows.records.stored import record_folder
from tasks.storage.home import USUAL

if TYPE_CHECKING:
    from flows.labelling.advice import LabelAdvice

CHECKED = "corrections.csv"
"""Table of decisions, as in the examples."""
MODEL = "model"
"""Name of a run's model folder, in the folder of its record."""


def run(request: RunRequest, *, home: Path, download: bool, engine: Engine) -> None:
    """Train what is missing, print the table, and tell where the model is and what to do next."""
    console = open_console()
    spec = resolve_and_run(console, request, home=home, download=download, engine=engine)
    folder = record_folder(spec.name, home) / MODEL
    if folder.exists():
        console.print(f"Model:  {short(folder)}", soft_wrap=True)
    for line in what_next(spec, home, _advice(spec, home, engine)):
        console.print(line, soft_wrap=True)


def what_next(spec: RunSpec, home: Path, advice: "LabelAdvice | None") -> list[str]:
    """What can be done with a finished run, as lines with commands.

    Args:
        spec: the run.
        home: its home folder.
        advice: what its known labels show; None if it has no labels of U.
    """
    where = [] if home == Path(USUAL).absolute() else ["--home", short(home)]
    files = [short(path) for path in spec.raw.unlabelled] or ["FOLDER"]
    commands = [["predict", spec.name, *files, "--out", "predictions.csv", *where]]
    if advice is not None and advice.precision is not None:
        commands.append(["label", spec.name, "--precision", f"{advice.precision:g}", *where])
    if advice is not None:
        commands.append(["review", spec.name, *where])
    lines = ["Next:", *map(_command, commands)]
    if advice is None or advice.precision is not None:
        return lines
    lines.append(advice.lacking)
    if advice.total is not None:
        check = ["review", spec.name, "--suggest", str(advice.total), "--out", CHECKED, *where]
        label = ["label", spec.name, "--precision", "0.8", "--checked", CHECKED, *where]
        lines += [_command(check), _command(label)]
    return lines


def _command(words: list[str]) -> str:
    return f"  {shlex.join(['gradmix', *words])}"


def _advice(spec: RunSpec, home: Path, engine: Engine) -> "LabelAdvice | None":
    """What the known labels of a run show; None if it has no labels of U.

    A fleet's submitter trains and scores nothing: it may have no data.
    """
    # Only now, as they import what would delay the first training.
    from flows.labelling.advice import label_advice  # noqa: PLC0415
    from flows.labelling.ensemble_run import find_ensemble  # noqa: PLC0415

    if engine != "local":
        return None
    try:
        return label_advice(find_ensemble(spec.name, home, None, None))
    except UserError:
        return None
