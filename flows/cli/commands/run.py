"""`gradmix run`: train on the user's own files, from an experiment file to a model."""

import shlex
from pathlib import Path

import click

from flows.cli.commands.reproduce import resolve_and_run
from flows.cli.console import open_console, short
from flows.experiment.run_request import Engine, RunRequest
from flows.experiment.run_spec import RunSpec
from flows.records.stored import record_folder
from tasks.storage.home import USUAL

MODEL = "model"
"""Name of a run's model folder, in the folder of its record."""


def run(request: RunRequest, *, home: Path, download: bool, engine: Engine) -> None:
    """Train what is missing, print the table, and tell where the model is and what to do next."""
    console = open_console()
    spec = resolve_and_run(console, request, home=home, download=download, engine=engine)
    folder = record_folder(spec.name, home) / MODEL
    if folder.exists():
        console.print(f"Model:  {short(folder)}", soft_wrap=True)
    known = click.get_current_context().find_root().command
    commands = known.commands if isinstance(known, click.Group) else {}
    following = [words for words in next_commands(spec, home) if words[0] in commands]
    if following:
        console.print("Next:", soft_wrap=True)
    for words in following:
        console.print(f"  {shlex.join(['gradmix', *words])}", soft_wrap=True)


def next_commands(spec: RunSpec, home: Path) -> list[list[str]]:
    """Commands for a finished run, as lists of words; some may not be available."""
    where = [] if home == Path(USUAL).absolute() else ["--home", short(home)]
    files = [short(path) for path in spec.raw.unlabelled] or ["FOLDER"]
    return [
        ["predict", spec.name, *files, "--out", "predictions.csv", *where],
        ["label", spec.name, "--precision", "0.97", *where],
        ["review", spec.name, *where],
    ]
