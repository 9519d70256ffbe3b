"""Model folders in MLflow: stored in a form MLflow can load and serve, and fetched again.

The flavour is `python_function` with our own loader (`tasks.models.serving`): weights are read as
safetensors by our own code, and nothing is unpickled.
"""

import shutil
import tempfile
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from tasks.redaction import redacted, safe_cause
from tasks.tracking.mlflow_store import MlflowStore, TrackingError

LOADER = "tasks.models.serving"
MLMODEL, REQUIREMENTS, PYTHON = "MLmodel", "requirements.txt", "python_env.yaml"
SCHEMES = ("models:/", "runs:/")
"""Schemes of model addresses in MLflow."""


def log_model_folder(store: MlflowStore, *, model: str, paths: Sequence[str]) -> None:
    """Add a model folder's files to a model, and those that let MLflow load it.

    Args:
        store: store that holds the model.
        model: model id.
        paths: possible paths of the folder, of which the first that exists is used.
    """
    model_id = store.resolve(model)
    folder = next((Path(path) for path in paths if Path(path).is_dir()), Path(paths[-1]))
    made = store.client.get_logged_model(model_id)
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(shutil.copytree(folder, Path(temporary) / "model"))
        _add_flavour(copy, model_id, made.source_run_id)
        store.client.log_model_artifacts(model_id, str(copy))


def fetch_model(uri: str, folder: Path) -> Path:
    """Download a model from the tracking store named by the environment.

    Args:
        uri: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/ID` or `runs:/RUN/NAME`.
        folder: folder to download to.

    Returns:
        Folder of the model.

    Raises:
        TrackingError: if there is none, or the store is unreachable.
    """
    from mlflow.artifacts import download_artifacts  # noqa: PLC0415 - slow, and only needed here

    try:
        return Path(download_artifacts(artifact_uri=uri, dst_path=str(folder)))
    # MLflow, its stores and their clients have no common error class.
    except Exception as error:
        said = redacted(" ".join(str(error).split()))[:300]
        raise TrackingError(
            f"expected a model in MLflow at {uri}, found none ({said}); correct the address, or "
            "name the store with --home or MLFLOW_TRACKING_URI."
        ) from safe_cause(error)


def _add_flavour(folder: Path, model_id: str, run_id: str | None) -> None:
    """Write what MLflow reads first: the loader and its required packages."""
    # This import makes MLflow warn about its own type hints.
    with warnings.catch_warnings(action="ignore"):
        from mlflow.models import Model  # noqa: PLC0415 - slow, and only needed here
        from mlflow.pyfunc import add_to_model  # noqa: PLC0415
        from mlflow.utils.environment import _PythonEnv  # noqa: PLC0415

    needs = f"gradmix[pipeline]=={version('gradmix')}"
    (folder / REQUIREMENTS).write_text(f"{needs}\n", encoding="utf-8")
    python = _PythonEnv.current()  # type: ignore[no-untyped-call]  # untyped in MLflow
    python.to_yaml(str(folder / PYTHON))
    model = Model(run_id=run_id, model_id=model_id)
    add_to_model(  # type: ignore[no-untyped-call]  # untyped in MLflow
        model, loader_module=LOADER, data=".", python_env=PYTHON
    )
    model.save(str(folder / MLMODEL))
