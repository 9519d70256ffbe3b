"""Tracking that never stops a training: failed writes are spooled and replayed.

Each write carries its own time and is harmless when repeated, so a replay restores the record in
order and exactly once. Only the process that plans the work writes; slots report through files.
"""

import csv
import io
import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tasks.errors import VariableError
from tasks.redaction import redacted, safe_cause
from tasks.storage.database_url import sqlite_url
from tasks.tracking.errors import is_refusal
from tasks.tracking.lineage.publish import log_lineage, log_results
from tasks.tracking.mlflow_flavour import log_model_folder
from tasks.tracking.mlflow_store import (
    IDENTITY,
    METRICS_PER_BATCH,
    PENDING_MODEL,
    PENDING_RUN,
    STAGE,
    MlflowStore,
    Status,
    TrackingError,
    chunks,
)
from tasks.tracking.outbox import Outbox, RefusedError, Spool, Write
from tasks.tracking.queries import TrackingQueries, unusable
from tasks.tracking.registry import CHAMPION, register_model

WRITES: dict[str, Callable[..., str | None]] = {
    "start_run": MlflowStore.start_run,
    "log_points": MlflowStore.log_points,
    "set_tags": MlflowStore.set_tags,
    "log_artifact": MlflowStore.log_artifact,
    "log_text": MlflowStore.log_text,
    "log_dataset": MlflowStore.log_dataset,
    "log_model_inputs": MlflowStore.log_model_inputs,
    "log_model": MlflowStore.log_model,
    "log_model_folder": log_model_folder,
    "register_model": register_model,
    "log_lineage": log_lineage,
    "log_results": log_results,
    "finish": MlflowStore.finish,
}

logger = logging.getLogger(__name__)


class MetricRow(NamedTuple):
    """Metrics of one step; ``time_s`` is seconds since the epoch, None for now."""

    step: int
    values: Mapping[str, float]
    time_s: float | None = None


DATABASE = "mlflow.db"
EXPERIMENT = "gradmix"
"""Name of the MLflow experiment that holds the runs of reproductions."""


def open_tracker(home: Path, experiment: str) -> "Tracker":
    """Open a tracker on the server MLFLOW_TRACKING_URI names, or else on the home's own store.

    Args:
        home: home folder; holds ``mlflow.db`` and ``mlartifacts/``, or at least the spool.
        experiment: name of the experiment.

    Raises:
        TrackingError: if the store cannot be used; an outage is not an error.
    """
    home = home.absolute()
    uri = os.environ.get("MLFLOW_TRACKING_URI") or sqlite_url(home / DATABASE)
    served = uri.startswith(("http:", "https:"))
    artifacts = None if served else home / "mlartifacts"
    return Tracker(uri, experiment, artifacts, home / "tracking-spool.jsonl")


class Tracker(TrackingQueries):
    """Records runs of one experiment; safe to share between threads.

    A run or model made during an outage gets a pending id, ``pending-run:<identity>``. Every
    method accepts it, in later processes too; ``resolve`` gives the real one.

    Args:
        uri: tracking store; created if it is a database that does not exist yet.
        experiment: name of the experiment; created if new.
        artifact_root: folder for the files of runs; None leaves it to the server.
        spool: file for writes that failed; earlier ones are replayed now.

    Raises:
        TrackingError: if the store cannot be used; an outage is not an error.
    """

    def __init__(self, uri: str, experiment: str, artifact_root: Path | None, spool: Path) -> None:
        try:
            super().__init__(MlflowStore(uri, experiment, artifact_root))
        except VariableError:
            raise
        except Exception as error:
            raise unusable(uri, error) from safe_cause(error)
        self._outbox = Outbox(redacted(uri), self._send, Spool(spool))
        try:
            self._store.experiment_id()
        except TrackingError:
            raise
        except Exception as error:
            if is_refusal(error):
                raise unusable(uri, error) from safe_cause(error)
            self._outbox.pause(error)
        else:
            self._outbox.flush()

    def start_run(
        self,
        name: str,
        identity: str,
        stage: str,
        *,
        tags: Mapping[str, str] | None = None,
        params: Mapping[str, object] | None = None,
        parent: str | None = None,
    ) -> str:
        """Start a run, or continue one with the same identity left running by a kill.

        Args:
            name: display name of the run.
            identity: digest of everything that determines the run's result.
            stage: stage that the run belongs to.
            tags: further tags, such as ``prefect.flow_run_id`` and ``git.sha``.
            params: the run's settings; a continued run keeps its own.
            parent: run id of the parent, or None.

        Returns:
            The run id. Of several runs left running, the newest continues and the rest are KILLED.
        """
        run_id = self._write(
            "start_run",
            name=name,
            tags={**(tags or {}), STAGE: stage, IDENTITY: identity},
            params={key: str(value) for key, value in (params or {}).items()},
            parent=parent,
            time_ms=_now_ms(),
        )
        return run_id or PENDING_RUN + identity

    def log_metrics(self, run_id: str, rows: Iterable[MetricRow]) -> None:
        """Add metrics in batches; values that are not finite are skipped.

        Values that a continued run already holds (same name, step and value) are not stored twice,
        so a resumed training may send its rows again from the beginning.
        """
        now = _now_ms()
        points = [
            (key, float(value), now if row.time_s is None else round(row.time_s * 1000), row.step)
            for row in rows
            for key, value in row.values.items()
            if math.isfinite(value)
        ]
        for batch in chunks(points, METRICS_PER_BATCH):
            self._write("log_points", run=run_id, points=batch)

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags on a run, replacing those of the same name."""
        self._write("set_tags", run=run_id, tags=dict(tags))

    def log_artifact(
        self, run_id: str, path: Path, folder: str | None = None, later: Path | None = None
    ) -> None:
        """Copy a file or folder to a run's artifacts.

        Args:
            run_id: the run.
            path: the file or folder; must outlive an outage to be replayed.
            folder: target folder among the run's artifacts.
            later: path it will be moved to, if any; a replay tries both.
        """
        self._write("log_artifact", run=run_id, paths=_places(path, later), folder=folder)

    def log_text(self, run_id: str, file: str, text: str) -> None:
        """Store text as a file of a run, replacing one of that name."""
        self._write("log_text", run=run_id, text=text, file=file)

    def log_table(self, run_id: str, file: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Store rows as a CSV file of a run; columns are the keys in order of appearance."""
        text = io.StringIO(newline="")
        columns = list(dict.fromkeys(key for row in rows for key in row))
        table = csv.DictWriter(text, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        self.log_text(run_id, file, text.getvalue())

    def log_dataset(self, run_id: str, name: str, digest: str, source: str, context: str) -> None:
        """Log data that a run read or made; repeating it changes nothing.

        Args:
            run_id: the run.
            name: display name of the data.
            digest: full SHA-256 in hex.
            source: path or address.
            context: ``raw`` for data not made by a run, ``output`` for data made by this run, else
                the purpose it was read for (``training``, ``evaluation``, ...).
        """
        self._write(
            "log_dataset", run=run_id, name=name, digest=digest, source=source, context=context
        )

    def log_model_inputs(self, run_id: str, model_ids: Iterable[str]) -> None:
        """Log the models that a run read, such as the members of an ensemble."""
        self._write("log_model_inputs", run=run_id, models=list(model_ids))

    def log_model(
        self, run_id: str, name: str, identity: str, file: Path, later: Path | None = None
    ) -> str:
        """Store a run's model: its file unchanged, without a pickled flavour.

        Args:
            run_id: the run that made it.
            name: display name, without ``/ : . % " '``.
            identity: identity of the training.
            file: the weights.
            later: path they will be moved to, if any; a replay tries both.

        Returns:
            The model id, of the existing model if the run already has one of that name.
        """
        paths = _places(file, later)
        model_id = self._write("log_model", run=run_id, name=name, identity=identity, paths=paths)
        return model_id or PENDING_MODEL + identity

    def log_model_folder(self, model_id: str, folder: Path) -> None:
        """Add a model folder to a model, in a form that MLflow can load and serve without pickle.

        Args:
            model_id: the model.
            folder: its model folder.
        """
        self._write("log_model_folder", model=model_id, paths=_places(folder, None))

    def register_champion(
        self, name: str, model_id: str, tags: Mapping[str, str], description: str
    ) -> None:
        """Make a model a version of a registered model, once, with the alias ``champion``.

        Args:
            name: name of the registered model.
            model_id: the model.
            tags: tags of the version.
            description: description of the version.
        """
        of_version = {"tags": dict(tags), "description": description}
        self._write("register_model", name=name, model=model_id, alias=CHAMPION, **of_version)

    def log_lineage(
        self, run_id: str, models: Iterable[str], champion: str, registered: str
    ) -> None:
        """Store the graph of the chain behind a reproduction, and notes that link it up.

        Args:
            run_id: the reproduction, whose model inputs are logged.
            models: the models to draw.
            champion: the model to highlight.
            registered: name of the registered model it is a version of.
        """
        self._write(
            "log_lineage",
            run=run_id,
            models=list(models),
            champion=champion,
            registered=registered,
            ui=self.ui,
        )

    def log_results(self, run_id: str, table: str, files: Iterable[str]) -> None:
        """Put a table, and links to files, at the start of a run's page in MLflow.

        Args:
            run_id: the reproduction.
            table: Markdown table, which replaces an existing one.
            files: paths of the files among the run's artifacts.
        """
        self._write("log_results", run=run_id, table=table, files=list(files))

    def finish(self, run_id: str, status: Status = "FINISHED") -> None:
        """End a run."""
        self._write("finish", run=run_id, status=status, time_ms=_now_ms())

    def replay(self) -> bool:
        """Make the waiting writes now; returns whether every write is in the store."""
        return self._outbox.flush()

    def _write(self, op: str, **values: object) -> str | None:
        return self._outbox.write({"op": op, "values": values})

    def _send(self, write: Write) -> str | None:
        try:
            return self._attempt(write)
        except Exception as error:
            if is_refusal(error):
                raise RefusedError(str(error)) from safe_cause(error)
            raise

    def _attempt(self, write: Write) -> str | None:
        make = WRITES[write["op"]]
        try:
            return make(self._store, **write["values"])
        except Exception as error:
            if not is_refusal(error):
                raise
        # If two processes link the same new data at once, one is rejected, but succeeds on retry.
        return make(self._store, **write["values"])


def _places(path: Path, later: Path | None) -> list[str]:
    return [str(place.absolute()) for place in (path, later) if place is not None]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
