"""Resolves MODEL on the command line to a model folder."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.paths import expanded
from flows.records.stored import FOLDER as REPRODUCTIONS
from flows.records.stored import MODEL
from tasks.execution.environment import configure
from tasks.models.description import FILE, ModelError
from tasks.storage.home import check_home
from tasks.tracking.mlflow_flavour import SCHEMES, fetch_model

CHAMPION = "champion"


@contextmanager
def model_folder(model: str, home: Path) -> Iterator[Path]:
    """Folder of MODEL; if downloaded, it is removed at the end.

    Args:
        model: a folder, `champion`, the name of a reproduction, or an address in MLflow.
        home: home folder to look up names in.

    Raises:
        ModelError: if there is no such model.
        TrackingError: if MLflow has no such model.
    """
    if model.startswith(SCHEMES):
        with tempfile.TemporaryDirectory(prefix="gradmix-model-") as folder:
            configure(check_home(home))
            yield _with_description(fetch_model(model, Path(folder)), model)
        return
    folder_given = expanded(model)
    if folder_given.is_dir():
        yield folder_given
        return
    yield _newest(home) if model == CHAMPION else _of_reproduction(model, home)


def _with_description(folder: Path, uri: str) -> Path:
    if not (folder / FILE).is_file():
        raise ModelError(
            f"expected a model with a {FILE} at {uri}, found one without; name a champion: other "
            "models are stored as plain weights."
        )
    return folder


def _newest(home: Path) -> Path:
    """The newest model in a home folder."""
    found = sorted(
        (made, str(path))
        for path in (check_home(home) / REPRODUCTIONS).glob(f"*/{MODEL}/{FILE}")
        if (made := _made(path))
    )
    if not found:
        raise ModelError(
            f"expected a finished reproduction in {home}, found none with a model; name another "
            "home with --home, or start one with gradmix reproduce."
        )
    return Path(found[-1][1]).parent


def _made(path: Path) -> str:
    """Time a model was made; empty if unreadable."""
    try:
        made: str = json.loads(path.read_text(encoding="utf-8"))["lineage"]["made"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return made


def _of_reproduction(name: str, home: Path) -> Path:
    folder = home / REPRODUCTIONS / name / MODEL
    if Path(name).name != name or not folder.is_dir():
        raise ModelError(
            f"expected a model folder, champion, the name of a reproduction in {home}, or an "
            f"MLflow model (models:/NAME@champion), found {name!r}, which is none; correct it."
        )
    return folder
