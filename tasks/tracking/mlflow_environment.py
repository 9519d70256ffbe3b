"""MLflow's environment variables: our defaults, and the user's, checked; commands for the user."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.errors import VariableError
from tasks.redaction import redacted, redacted_value

KINDS = {"bool": "true or false", "int": "an integer", "float": "a number"}
URIS = frozenset({"MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"})
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # the default of 7 holds a writer for minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


def set_defaults() -> None:
    """Set the variables that the user has not; MLflow reads them when it is imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def check_variables(known: Mapping[str, Any]) -> None:
    """Read every MLflow variable that is set, as MLflow will.

    Raises:
        VariableError: if MLflow rejects one.
    """
    for name, value in os.environ.items():
        variable = known.get(name) if name.startswith("MLFLOW_") else None
        if variable is None or name in URIS:
            continue
        try:
            variable.get()
        except (TypeError, ValueError) as error:
            kind = getattr(variable.type, "__name__", "value")
            raise VariableError(
                f"{name}: expected {KINDS.get(kind, kind)}, found "
                f"{redacted_value(name, value)!r}; correct it, or unset it."
            ) from error


def mlflow_command(uri: str, *words: str) -> str:
    """An MLflow command line that the user can run on a store."""
    command = [str(Path(sys.executable).with_name("mlflow")), *words]
    # A server, or a URL with a login, which must not be shown, is named by the environment.
    named_by_user = uri.startswith(("http:", "https:")) or redacted(uri) != uri
    return shlex.join(command if named_by_user else ["env", f"MLFLOW_TRACKING_URI={uri}", *command])
