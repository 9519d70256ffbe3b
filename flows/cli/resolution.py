"""Resolves a run request, showing progress where it takes time."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rich.console import Console

from data.digest_cache import KnownDigests
from data.paths import expanded
from flows.checks.check import checked
from flows.experiment.experiment_file import settings_of
from flows.experiment.inputs import download_raw
from flows.experiment.run_request import RunRequest
from flows.experiment.run_spec import RunSpec
from flows.experiment.settings import Experiment
from flows.experiment.toml_file import SettingsError
from tasks.networks.names import IMAGENET, PRETRAINED


def resolve_request(
    console: Console, request: RunRequest, home: Path, known: KnownDigests
) -> RunSpec:
    """Check and resolve a request; writes nothing under the home folder.

    Raises:
        CheckError: if the run would fail; lists all problems.
    """
    with reading_spinner(console, request):
        return checked(request, home, known)


def fetch(console: Console, request: RunRequest) -> None:
    """Download what a request needs and cannot find."""
    experiment = check_download(request)
    where = f" in {request.data}" if request.data is not None else ""
    console.print(f"Fetching what is missing{where} ...", soft_wrap=True)
    download_raw(experiment, None if request.data is None else expanded(request.data))


def check_download(request: RunRequest) -> Experiment:
    """Check that a request allows a download; returns its experiment.

    Raises:
        SettingsError: if nothing can be downloaded for it.
    """
    experiment = settings_of(request)
    if request.data is None and experiment.network.weights not in {IMAGENET, PRETRAINED}:
        raise SettingsError(
            "--download: expected --data DIR, the folder to fetch into, found none; add it."
        )
    return experiment


def headline(spec: RunSpec) -> str:
    """Title, scale and kind of data of a run."""
    kind = "embedded" if spec.raw.root is None else "real"
    return f"{spec.experiment.title}: scale {spec.experiment.scale}, {kind} data"


def reading_spinner(console: Console, request: RunRequest) -> AbstractContextManager[object]:
    """Show a spinner while files are read, which may be gigabytes."""
    own = request.experiment.endswith(".toml")
    if not (own or request.data) or not console.is_terminal:
        return nullcontext()
    return console.status(f"Reading the files in {request.data or 'the experiment'} ...")
