"""Resolves names and abbreviations of runs and models to ids."""

import re
import tempfile
from pathlib import Path

from data.counting import counted
from data.errors import DataError
from data.fingerprint import sha256_file
from tasks.tracking.mlflow_store import DIGEST_LENGTH, STAGE, MlflowStore, TrackingError
from tasks.tracking.registry import CHAMPION, registered_models, version_of

LABELS = ".parquet"
SHORTEST = 6
"""Minimum number of digits of a shortened id."""
NAMED = 5
"""Number of candidates named in an error."""
KNOWN = (
    f"a run id or its first {SHORTEST} digits or more, a model id (m-...), a registered model "
    "(NAME, NAME@champion, or champion if there is one), the name of a reproduction, or a "
    "pseudo_labels.parquet file"
)


def find(store: MlflowStore, text: str) -> str:
    """Find the run or model id that a user's input stands for.

    Args:
        store: store to search.
        text: the input, see `KNOWN`.

    Raises:
        TrackingError: if it matches nothing, or several things.
        DataError: if it is a damaged file of pseudo-labels.
    """
    if text.endswith(LABELS):
        return labels_run(store, Path(text))
    if found := _by_id(store, text) or _by_name(store, text):
        return found
    names = ", ".join(registered_models(store)[:NAMED]) or "none"
    raise TrackingError(
        f"expected {KNOWN}, found {text!r}, which is not found in {store.uri}; registered models "
        f"there: {names}."
    )


def _by_id(store: MlflowStore, text: str) -> str | None:
    """Find a run or model by the beginning of its id."""
    if re.fullmatch(f"m-[0-9a-f]{{{SHORTEST},32}}", text):
        where = f"model_id LIKE '{text}%'"
        models = store.client.search_logged_models(store.experiments(), where)
        return _only(text, {str(model.model_id): model.name for model in models})
    if re.fullmatch(f"[0-9a-f]{{{SHORTEST},32}}", text):
        runs = store.runs(f"attributes.run_id LIKE '{text}%'")
        return _only(text, {str(run.info.run_id): run.info.run_name for run in runs})
    return None


def _only(text: str, found: dict[str, str]) -> str | None:
    if len(found) > 1:
        some = [f"{key} ({name})" for key, name in list(found.items())[:NAMED]]
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        raise TrackingError(
            f"expected {text} to mean one thing, found {', '.join(some)}{more}; write more of it."
        )
    return next(iter(found), None)


def _by_name(store: MlflowStore, text: str) -> str | None:
    """Find a registered model by alias, or else the newest run of a reproduction by name."""
    if text == CHAMPION:
        return _only(text, _champions(store))
    name, _, alias = text.partition("@")
    if re.fullmatch(r"[\w .-]+@?[\w-]*", text) is None:
        return None
    if model := version_of(store, name, alias or CHAMPION):
        return model
    if alias:
        return None
    return reproduction_run(store, name)


def _champions(store: MlflowStore) -> dict[str, str]:
    """Names of the champions by model id."""
    names = registered_models(store)
    found = {name: version_of(store, name, CHAMPION) for name in names}
    return {model: f"{name}@{CHAMPION}" for name, model in found.items() if model}


def reproduction_run(store: MlflowStore, name: str) -> str | None:
    """The newest run of a reproduction, preferably a finished one."""
    where = f"attributes.run_name = '{name}' AND tags.`{STAGE}` = 'reproduction'"
    runs = sorted(store.runs(where), key=lambda run: run.info.status != "FINISHED")
    return str(runs[0].info.run_id) if runs else None


def labels_run(store: MlflowStore, file: Path) -> str:
    """The run that wrote a file of pseudo-labels, wherever the file is now.

    The file names the U that it labels; among the runs that labelled that U, the one that stored
    the same bytes is chosen.

    Raises:
        TrackingError: if there is none: the file was changed, or comes from elsewhere.
        DataError: if the file is missing or damaged.
    """
    if not file.is_file():
        raise DataError(f"Expected a file of pseudo-labels, found none at {file}: check the path.")
    # Slow to import, and rarely needed.
    from data.tables.pseudo_labels import read_pseudo_labels  # noqa: PLC0415

    unlabelled, digest = read_pseudo_labels(file).digests.get("U", ""), sha256_file(file)
    runs = []
    if re.fullmatch("[0-9a-f]{64}", unlabelled):
        where = f"dataset.digest = '{unlabelled[:DIGEST_LENGTH]}'"
        runs = store.runs(f"{where} AND tags.`{STAGE}` = 'pseudo_label'")
    for run in runs:
        if _stored(store, run.info.run_id) == digest:
            return str(run.info.run_id)
    raise TrackingError(
        f"expected {file} as a run of {store.uri} wrote it, found other bytes (sha256 "
        f"{digest[:12]}) than the {counted(len(runs), 'run')} that labelled the same U wrote; it "
        "was changed or comes from another home: make the pseudo-labels again, or name the other "
        "home with --home."
    )


def _stored(store: MlflowStore, run_id: str) -> str:
    """SHA-256 of the file of labels among a run's artifacts; "" if there is none."""
    listed = store.client.list_artifacts(run_id)
    stored = [file.path for file in listed if file.path.endswith(LABELS)]
    with tempfile.TemporaryDirectory() as folder:
        for path in stored:
            return sha256_file(Path(store.client.download_artifacts(run_id, path, folder)))
    return ""
