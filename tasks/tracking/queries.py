"""Look-ups in a tracking store, with one-line errors."""

import contextlib
from collections.abc import Callable
from importlib.metadata import version

from data.errors import DataError
from tasks.errors import first_line
from tasks.redaction import redacted, safe_cause, without_login
from tasks.storage.database_url import DAMAGED, aside_command, sqlite_path
from tasks.tracking.lineage.graph import Node, walk
from tasks.tracking.mlflow_environment import mlflow_command
from tasks.tracking.mlflow_store import MlflowStore, T, TrackingError
from tasks.tracking.resolve import find

OTHER_VERSION = "out-of-date database schema"
LOCAL_UI = "http://127.0.0.1:5000"
"""Address of `mlflow ui` for a store without a server."""


class TrackingQueries:
    """The reading half of a tracker.

    Args:
        store: store to read from.
    """

    def __init__(self, store: MlflowStore) -> None:
        self._store = store

    def resolve(self, run_or_model_id: str) -> str:
        """The store's id of a pending one; other ids are returned unchanged.

        Raises:
            TrackingError: if the store holds no such run or model (yet), or cannot be read.
        """
        return self._read(lambda: self._store.resolve(run_or_model_id))

    def find(self, text: str) -> str:
        """Find the run or model id that `text` stands for: see `tasks.tracking.resolve.find`.

        Raises:
            TrackingError: if it matches nothing or several things, or the store cannot be
                read.
            DataError: if it is a damaged file of pseudo-labels.
        """
        return self._read(lambda: find(self._store, text))

    @property
    def ui(self) -> str:
        """Address of MLflow's pages."""
        served = self._store.uri.startswith(("http:", "https:"))
        return without_login(self._store.uri).rstrip("/") if served else LOCAL_UI

    def pages(self) -> dict[str, str]:
        """MLflow's address, `ui`, and `experiment_id` unless the store is unreachable."""
        pages = {"ui": self.ui}
        with contextlib.suppress(TrackingError):
            pages["experiment_id"] = self._read(self._store.experiment_id)
        return pages

    def lineage(self, run_or_model_id: str) -> Node:
        """The chain from a run or model back to the raw data; ``lineage.graph.tree`` prints it.

        Raises:
            TrackingError: if an id of the chain is unknown, or the store cannot be read.
        """
        return self._read(lambda: walk(self._store, self._store.resolve(run_or_model_id)))

    def _read(self, look_up: Callable[[], T]) -> T:
        try:
            return look_up()
        except (TrackingError, DataError):
            raise
        except Exception as error:
            raise unusable(self._store.uri, error) from safe_cause(error)


def unusable(uri: str, error: Exception) -> TrackingError:
    """Error for a store that cannot be used."""
    if OTHER_VERSION in str(error):
        return TrackingError(
            f"expected a database of MLflow {version('mlflow')} at {redacted(uri)}, found one of "
            "another version; if it is an older one's, make a copy of it and run: "
            f"{mlflow_command(uri, 'db', 'upgrade', redacted(uri))} ; if it is a newer one's, "
            "install that version of MLflow, or choose another folder with --home."
        )
    database = sqlite_path(uri)
    if database is not None and DAMAGED.search(str(error)):
        return TrackingError(
            f"expected a whole database of MLflow, found a damaged {database}; move it, which "
            "holds the figures of runs but no results, out of the way: "
            f"{aside_command(database)} ; the same command makes a new one."
        )
    return TrackingError(
        f"expected a readable tracking store at {redacted(uri)}, found: {first_line(error)}; "
        "check MLFLOW_TRACKING_URI and the id."
    )
